// Weight decay is for matrices: norms keep what the gradient gives them.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include "engine/support/ranks.h"
#include "engine/train/parallel/sharding.h"
#include "plan/task.h"

namespace sxb::engine::train {
namespace {

using config::Sharding;

config::Architecture small() {
  config::Architecture arch;
  arch.hidden = 96, arch.ffn = 176, arch.layers = 3, arch.heads = 4, arch.kv_heads = 2, arch.vocab = 200;
  return arch;
}

/// One step of AdamW on weights of 1 and gradients of zero, which leaves of each what decay leaves.
void expect_decay_of_matrices_alone(int world, Sharding sharding, bool offload) {
  run_gloo(world, [&](comm::Communicator& comm) {
    const c10::InferenceMode no_autograd;
    const Layout layout = make_layout(small(), world);
    const ProcessGroups groups(comm);
    const Device device = Device::make(false, false);
    ShardingOptions options;
    options.sharding = sharding;
    options.offload = offload;
    ShardedParameters parameters(layout, options, device, groups);
    parameters.initialize(
        [](int, const Param&, std::int64_t, std::int64_t, at::Tensor& out) { out.fill_(1.0); });
    const kernels::AdamW constants{0.9f, 0.999f, 1e-8f, 0.5f};
    at::Tensor step = at::zeros({3}, at::kFloat);
    *reinterpret_cast<kernels::AdamWStep*>(step.data_ptr<float>()) = {0.1f, 0.1f, 0.001f};
    const at::Tensor scale = at::ones({}, at::kFloat);
    parameters.optimizer_step(constants, step, scale);
    for (int u = 0; u < layout.count(); ++u) {
      const at::Tensor flat = parameters.gather(u);
      for (const Param& param : layout.units[static_cast<std::size_t>(u)].params) {
        const at::Tensor part = flat.narrow(0, param.offset, param.numel());
        const double expected = param.is_norm ? 1.0 : 0.95;
        EXPECT_LT((part - expected).abs().max().item<double>(), 1e-6)
            << param.name << ", " << config::to_string(sharding) << " on " << world << " ranks";
      }
      parameters.release(u);
    }
  });
}

TEST(WeightDecay, LeavesNormsAsTheyAre) {
  for (const int world : {1, 2, 3}) {
    for (const Sharding sharding :
         {Sharding::kNone, Sharding::kOptimizer, Sharding::kGradients, Sharding::kFull}) {
      expect_decay_of_matrices_alone(world, sharding, false);
      expect_decay_of_matrices_alone(world, sharding, true);
    }
  }
}

}  // namespace
}  // namespace sxb::engine::train
