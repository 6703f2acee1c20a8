// Sharding, applied to the model from outside (ZeRO, Rajbhandari et al. 2020): who holds which part
// of weights, gradients and optimizer state, and when it travels.
//
//   none       weights, gradients, state whole on every rank; gradients all-reduced
//   optimizer  state sharded (ZeRO-1): gradients reduce-scattered once a step, new weights gathered
//   gradients  gradients sharded too (ZeRO-2): reduce-scattered in every micro-step
//   full       weights sharded too (ZeRO-3): each block gathered before use, forward and backward
//   hybrid     full inside a node; nodes hold equal copies and all-reduce their shards' gradients
//
// Every unit is one flat buffer, so a collective needs no copy in or out: an all-gather lands in the
// buffer that the GEMMs read, and the weight gradients are written into the buffer that is reduced.
// The order of units is static, so the next one is always fetched while the current one computes.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

#include "config/model/model.h"
#include "engine/train/device/device.h"
#include "engine/train/model/layout.h"
#include "engine/train/parallel/optimizer_state.h"
#include "engine/train/parallel/shard_groups.h"

namespace sxb::engine::train {

/// One rank's share of a unit: elements [begin, begin + numel) of the flat buffer.
struct Shard {
  std::int64_t begin = 0;
  std::int64_t numel = 0;
};

struct ShardingOptions {
  config::Sharding sharding = config::Sharding::kNone;  ///< not kAuto
  bool reduce_fp32 = false;                             ///< training.reduce_precision = fp32
  std::int64_t accumulation = 1;                        ///< micro-steps of a step
  /// full, hybrid: blocks whose whole weights exist at once. 2 is the one in use and the next; a third
  /// lets a gather start while the last readers of an older one still run. The last blocks of the
  /// forward pass are the first of the backward pass: each block more saves one gather a micro-step.
  std::int64_t resident_blocks = 3;
  bool offload = false;    ///< optimizer state in host memory
  bool symmetric = false;  ///< buffers of collectives in symmetric windows, on GPUs
};

class ShardedParameters {
 public:
  /// `groups` must outlive this object.
  ShardedParameters(const Layout& layout, const ShardingOptions& options, const Device& device,
                    const ProcessGroups& groups);

  // --- weights
  /// The whole flat weights of a unit, valid for work queued on the compute stream until release().
  const at::Tensor& gather(int unit);
  /// Starts the gather of a unit that will be needed soon. Ignores units that do not exist.
  void prefetch(int unit);
  /// The compute stream has been given all work that reads this unit for now.
  void release(int unit);

  // --- gradients
  /// The flat gradient buffer of a unit, to be written on the compute stream.
  at::Tensor& gradients(int unit);
  /// True if gradients() holds sums of earlier micro-steps that must be added to.
  bool accumulate() const { return keeps_gradients_ && micro_step_ > 0; }
  /// The compute stream has been given all work that writes this unit's gradients.
  void reduce(int unit);
  void begin_micro_step(std::int64_t micro_step) { micro_step_ = micro_step; }

  // --- optimizer
  /// Adds this rank's share of the sum of squared gradients to *sum_sq (a double scalar tensor) so
  /// that the sum over ranks is that of the whole gradient.
  void add_squares(at::Tensor& sum_sq);
  /// AdamW on this rank's shards, without weight decay for norms; grad_scale (float scalar) and step (float
  /// (3), a kernels::AdamWStep) are on the device.
  void optimizer_step(const kernels::AdamW& constants, const at::Tensor& step, const at::Tensor& grad_scale);

  // --- contents
  /// Calls fill(param, first element of it, count, destination float) for every piece of a parameter
  /// that this rank holds, then writes the compute weights from the master weights.
  using Fill =
      std::function<void(int unit, const Param&, std::int64_t first, std::int64_t count, at::Tensor& out)>;
  void initialize(const Fill& fill);

  /// AdamW's state of this rank's shares: all that a checkpoint of the weights needs.
  const OptimizerState& state() const { return *state_; }
  /// The state was written by somebody else: writes the compute weights from it.
  void take_state();

  config::Sharding sharding() const { return options_.sharding; }
  /// What the device runs for the collectives of a block, for the record; before the first step, as
  /// it runs them once on the zeros there. Collective.
  std::string describe_paths();

 private:
  struct Slot {
    at::Tensor buffer;
    int owner = -1;
    StepEvent ready;  ///< comm stream: the gather into it is done
    StepEvent free;   ///< compute stream: the last reader is done
  };
  struct GradSlot {
    at::Tensor buffer;
    StepEvent free;  ///< comm stream: the reduction that reads it is done
  };
  Slot& weight_slot(int unit);
  GradSlot& gradient_slot(int unit);
  void allocate();
  at::Tensor collective_zeros(std::int64_t numel, at::ScalarType type, comm::Communicator& comm) const;
  void gather_after_update(int unit);
  void all_gather(int unit);
  void all_reduce(at::Tensor& data, comm::Communicator& comm);
  at::Tensor weight_shard(int unit);
  const at::Tensor& reduced_gradients(int unit);

  const Layout& layout_;
  ShardingOptions options_;
  bool shards_state_, shards_gradients_, shards_weights_;
  bool keeps_gradients_;  ///< the flat gradient buffer lives through all micro-steps
  bool reduce_fp32_;
  Device device_;
  const ProcessGroups& groups_;
  std::int64_t micro_step_ = 0;

  /// A stretch of a shard, in its own elements.
  struct Stretch {
    std::int64_t first = 0, numel = 0;
    bool decays = true;
  };
  void find_stretches();

  std::vector<Shard> shards_;
  std::vector<std::vector<Stretch>> stretches_;  ///< per unit: where weight decay begins and ends
  std::optional<OptimizerState> state_;
  std::vector<Slot> slots_;                ///< weights; full: a ring for the blocks
  std::vector<GradSlot> grad_slots_;       ///< gradients; sharded: a ring for the blocks
  std::vector<at::Tensor> weight_shards_;  ///< full sharding: what a rank contributes to the gather
  std::vector<at::Tensor> grad_shards_;    ///< sharded gradients
  at::Tensor reduce_scratch_;              ///< FP32 image of a unit, or one rank's part of it
  at::Tensor squares_scratch_;
  StepEvent gradients_ready_, reduced_, updated_;
};

}  // namespace sxb::engine::train
