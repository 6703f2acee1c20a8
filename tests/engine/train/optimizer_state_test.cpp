// Offloaded optimizer state passes through in chunks: the same bits as without.
#include "engine/train/parallel/optimizer_state.h"

#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <cmath>

namespace sxb::engine::train {
namespace {

at::Tensor wave(std::int64_t numel, float phase) {
  at::Tensor t = at::zeros({numel}, at::kFloat);
  for (std::int64_t i = 0; i < numel; ++i)
    t.data_ptr<float>()[i] = std::sin(static_cast<float>(i) * 0.37f + phase);
  return t;
}

/// Parameters of two units after three steps.
std::vector<at::Tensor> after_three_steps(bool offload, std::int64_t chunk) {
  const std::vector<std::int64_t> numel = {1000, 640};
  const Device device;
  OptimizerState state(numel, offload, device, chunk);
  std::vector<at::Tensor> params;
  for (std::size_t u = 0; u < numel.size(); ++u) {
    params.push_back(wave(numel[u], 1));
    // In two pieces, as parameters lie in a shard.
    for (const std::int64_t first : {std::int64_t{0}, std::int64_t{300}}) {
      const std::int64_t count = (first == 0 ? 300 : numel[u]) - first;
      state.set_master(u, first, count,
                       [&](at::Tensor& out) { out.copy_(params[u].narrow(0, first, count)); });
    }
  }
  const kernels::AdamW constants(0.9, 0.99, 1e-8, 0.01);
  const float grad_scale = 0.5f;
  for (int step = 1; step <= 3; ++step) {
    const kernels::AdamWStep scalars{0.1f, 1 - std::pow(0.9f, static_cast<float>(step)),
                                     1 - std::pow(0.99f, static_cast<float>(step))};
    state.begin_step();
    for (std::size_t u = 0; u < numel.size(); ++u) {
      state.update(u, 0, params[u], wave(numel[u], static_cast<float>(step)),
                   {constants, &scalars, &grad_scale});
    }
    state.end_step();
  }
  for (std::size_t u = 0; u < numel.size(); ++u) EXPECT_TRUE(params[u].equal(state.master(u)));
  return params;
}

TEST(OptimizerState, OffloadInChunksChangesNoBit) {
  const std::vector<at::Tensor> expected = after_three_steps(false, 0);
  EXPECT_FALSE(expected[0].equal(wave(1000, 1)));
  for (const std::int64_t chunk :
       {64, 128, 1000, 4096}) {  // with a remainder, one exactly, larger than a unit
    const std::vector<at::Tensor> got = after_three_steps(true, chunk);
    for (std::size_t u = 0; u < got.size(); ++u)
      EXPECT_TRUE(got[u].equal(expected[u])) << chunk << ", unit " << u;
  }
}

}  // namespace
}  // namespace sxb::engine::train
