// One optimizer step on the device: micro-steps, gradient norm, AdamW. Nothing in it waits for the device.
#pragma once

#include <ATen/core/Tensor.h>

#include "engine/comm/communicator.h"
#include "engine/train/device.h"
#include "engine/train/layout.h"
#include "engine/train/llama.h"
#include "engine/train/loader.h"
#include "engine/train/sharding.h"
#include "engine/train/step_log.h"
#include "sxbench/config/model.h"

namespace sxb::engine {

class TrainStep {
 public:
  /// Everything is kept by reference and must outlive the step.
  TrainStep(const config::Model& model, const Layout& layout, const Device& device, Communicator& comm,
            ShardedParameters& parameters, Llama& llama, Loader& loader);

  /// Queues step `number` (from 1). `timed`, a finished step that not all ranks know the time of, sends
  /// this rank's time along; null: none.
  StepFacts run(std::int64_t number, const StepResult* timed);

  /// float (3): gradient scale, gradient norm, mean loss.
  const at::Tensor& results() const { return results_; }
  /// double (kStepSums + ranks), see StepSum.
  const at::Tensor& sums() const { return sums_; }

 private:
  DeviceBatch to_device(const HostBatch& host);
  void micro_step(std::int64_t index, const HostBatch& host);
  Residual forward(const DeviceBatch& batch);
  void backward(const Residual& stream, const DeviceBatch& batch);
  void sum_over_ranks();
  void update(std::int64_t number, double lr);

  const config::Model& model_;
  const Layout& layout_;
  const Device device_;
  Communicator& comm_;
  ShardedParameters& parameters_;
  Llama& llama_;
  Loader& loader_;
  const double token_unit_;  ///< static scale of the loss: 1 / (tokens of a full global batch)
  at::Tensor sums_, results_;
  at::Tensor scalars_;  ///< float (3): a kernels::AdamWStep
  Event sums_ready_, sums_reduced_;
};

}  // namespace sxb::engine
