// One optimizer step on the device: micro-steps, gradient norm, AdamW. Nothing in it waits for the
// device, and once it is recorded as a CUDA graph nothing in it asks for memory.
//
// A step ends where the norm of its gradients is known: there the compute stream has waited for all
// communication, so the graph can end there at no cost. The graph therefore is AdamW of the step
// before, whose gathers of new weights run under the next forward pass, and then the gradients:
//
//   launched:  g1 u1 | g2 ‖ graph(u2 g3) | graph(u3 g4) | ... | u_last       g gradients, u AdamW
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/cuda/CUDAGraph.h>

#include <optional>

#include "config/model/model.h"
#include "engine/comm/communicator.h"
#include "engine/train/device/device.h"
#include "engine/train/loop/loader.h"
#include "engine/train/loop/step_inputs.h"
#include "engine/train/loop/step_log.h"
#include "engine/train/model/layout.h"
#include "engine/train/model/llama.h"
#include "engine/train/parallel/sharding.h"

namespace sxb::engine::train {

class TrainStep {
 public:
  /// Steps that are launched kernel by kernel before the graph is recorded: libraries choose their
  /// algorithms and take their memory in them.
  static constexpr std::int64_t kLaunchedSteps = 2;

  /// Everything is kept by reference and must outlive the step. `graph`: replay a recorded step.
  TrainStep(const config::Model& model, const Layout& layout, const Device& device, comm::Communicator& comm,
            ShardedParameters& parameters, Llama& llama, Loader& loader, bool graph);

  /// Which updates there have been: AdamW has corrected its moments for so many.
  struct Progress {
    std::int64_t step = 0;     ///< the last one whose update is in the weights
    std::int64_t updates = 0;  ///< fewer: steps without a token to learn from have none
  };
  /// Before the first run(): the weights are those of an earlier training that came so far.
  void resume(const Progress& progress) { progress_ = progress; }
  /// What is in weights and moments once the compute stream is past all that was queued.
  const Progress& progress() const { return progress_; }
  /// Whoever reads weights or moments until `read`: they are not written before. Null: nobody.
  void keep_state_until(const StepEvent* read) { state_read_ = read; }

  /// Queues step `number`, the one after the last. `timed`, a finished step that not all ranks know the time
  /// of, sends this rank's time along; null: none. Step number - 2 must be finished.
  StepFacts run(std::int64_t number, const StepResult* timed, const CheckpointVote& vote = {});
  /// After the last run(): queues the AdamW that a graph would have done in the next step.
  void finish();
  /// After finish(): queues a step that is traced and changes no weight. Stops the device.
  void run_traced();

  /// float (3): gradient scale, gradient norm, mean loss.
  const at::Tensor& results() const { return results_; }
  /// double (kStepSums + ranks), see StepSum.
  const at::Tensor& sums() const { return sums_; }

 private:
  void load(StepFacts& facts, const StepResult* timed, const CheckpointVote& vote);
  kernels::AdamWStep adamw_of(std::int64_t updates, double lr) const;
  void wait_for_readers();
  void updated(std::int64_t step);
  void replay();
  void launch(bool with_update);
  void gradients();
  Residual forward(const DeviceBatch& batch);
  void backward(const Residual& stream, const DeviceBatch& batch);
  void sum_over_ranks();
  void update();
  void record_graph();
  void drop_graph();

  const config::Model& model_;
  const Layout& layout_;
  const Device device_;
  comm::Communicator& comm_;
  ShardedParameters& parameters_;
  Llama& llama_;
  Loader& loader_;
  const bool uses_graph_;
  const double token_unit_;  ///< static scale of the loss: 1 / (tokens of a full global batch)
  StepInputs inputs_;
  at::Tensor sums_, results_;
  StepEvent sums_ready_, sums_reduced_;
  std::optional<at::cuda::CUDAGraph> graph_;
  std::optional<kernels::AdamWStep> due_;  ///< the AdamW that is left to the next step
  std::int64_t launched_ = 0;              ///< steps, kernel by kernel
  Progress progress_;
  const StepEvent* state_read_ = nullptr;
};

}  // namespace sxb::engine::train
