#include "engine/train/loop/schedule.h"

#include <gtest/gtest.h>

#include "engine/kernels/kernels.h"
#include "engine/train/model/flops.h"

namespace sxb::engine::train {
namespace {

config::Optimizer optimizer(config::ScheduleKind kind, std::int64_t warmup) {
  config::Optimizer o;
  o.lr = 1.0;
  o.schedule.kind = kind;
  o.schedule.warmup_steps = warmup;
  return o;
}

TEST(Schedule, RampsUpLinearly) {
  const auto o = optimizer(config::ScheduleKind::kConstant, 10);
  EXPECT_DOUBLE_EQ(learning_rate(o, 1, 100), 0.1);
  EXPECT_DOUBLE_EQ(learning_rate(o, 9, 100), 0.9);
  EXPECT_DOUBLE_EQ(learning_rate(o, 10, 100), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate(o, 100, 100), 1.0);
}

TEST(Schedule, CosineIsAtTheFloorAfterTheLastStep) {
  auto o = optimizer(config::ScheduleKind::kCosine, 10);
  o.schedule.min_ratio = 0.1;
  EXPECT_DOUBLE_EQ(learning_rate(o, 10, 109), 1.0);
  EXPECT_NEAR(learning_rate(o, 60, 109), 0.55, 1e-12);
  EXPECT_NEAR(learning_rate(o, 110, 109), 0.1, 1e-12);
}

TEST(Schedule, LinearFallsByEqualSteps) {
  const auto o = optimizer(config::ScheduleKind::kLinear, 0);
  EXPECT_DOUBLE_EQ(learning_rate(o, 1, 100), 1.0);
  EXPECT_NEAR(learning_rate(o, 51, 100), 0.5, 1e-12);
  EXPECT_NEAR(learning_rate(o, 100, 100), 0.01, 1e-12);  // as the linear schedule of transformers
}

TEST(Schedule, EveryStepTrains) {
  for (const auto kind : {config::ScheduleKind::kConstant, config::ScheduleKind::kLinear,
                          config::ScheduleKind::kCosine, config::ScheduleKind::kStep}) {
    for (const std::int64_t warmup : {0, 1, 3, 7, 20}) {
      const auto o = optimizer(kind, warmup);
      double last = 0;
      for (std::int64_t step = 1; step <= 7; ++step) {
        const double rate = learning_rate(o, step, 7);
        EXPECT_GT(rate, 0.0) << config::to_string(kind) << ", ramp " << warmup << ", step " << step;
        EXPECT_LE(rate, 1.0);
        if (step > warmup && step > 1) {
          EXPECT_LE(rate, last);
        }
        last = rate;
      }
    }
  }
}

TEST(Schedule, StepDecaysEveryN) {
  auto o = optimizer(config::ScheduleKind::kStep, 1);
  o.schedule.step_every = 10;
  o.schedule.step_gamma = 0.5;
  EXPECT_DOUBLE_EQ(learning_rate(o, 10, 100), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate(o, 11, 100), 0.5);
  EXPECT_DOUBLE_EQ(learning_rate(o, 31, 100), 0.125);
}

TEST(GradientScale, ClipsByTheGlobalNorm) {
  // Gradients of token_unit * sum of losses: norm = sqrt(sum_sq) / (token_unit * tokens).
  const double sums[3] = {16.0, 30.0, 10.0};  // sqrt = 4, 10 tokens
  float results[3];
  kernels::cpu::gradient_scale(results, sums, 0.1, 0.0);
  EXPECT_FLOAT_EQ(results[0], 1.0f);
  EXPECT_FLOAT_EQ(results[1], 4.0f);
  EXPECT_FLOAT_EQ(results[2], 3.0f);
  kernels::cpu::gradient_scale(results, sums, 0.1, 1.0);
  EXPECT_FLOAT_EQ(results[0], 0.25f);
  kernels::cpu::gradient_scale(results, sums, 0.1, 5.0);
  EXPECT_FLOAT_EQ(results[0], 1.0f);
  kernels::cpu::gradient_scale(results, sums, 0.05, 1.0);  // half the unit: the gradient is twice as large
  EXPECT_FLOAT_EQ(results[1], 8.0f);
  EXPECT_FLOAT_EQ(results[0], 0.25f);
}

TEST(AdamW, MatchesTheFormulaInDouble) {
  float param = 0, master = 0.5f, m = 0.1f, v = 0.01f;
  const float grad = 2.0f, scale = 0.25f;
  const kernels::AdamW constants(0.9, 0.99, 1e-8, 0.01);
  const kernels::AdamWStep step{0.1f, 1 - 0.9f * 0.9f, 1 - 0.99f * 0.99f};
  kernels::cpu::adamw(&param, &master, &m, &v, &grad, &scale, &step, constants, 1);
  const double g = 0.5;
  const double m1 = 0.9 * 0.1 + 0.1 * g;
  const double v1 = 0.99 * 0.01 + 0.01 * g * g;
  const double expected =
      0.5 * (1 - 0.1 * 0.01) - 0.1 * (m1 / 0.19) / (std::sqrt(v1 / (1 - 0.99 * 0.99)) + 1e-8);
  EXPECT_NEAR(static_cast<double>(master), expected, 1e-6);
  EXPECT_EQ(param, master);
  EXPECT_NEAR(static_cast<double>(m), m1, 1e-7);
  EXPECT_NEAR(static_cast<double>(v), v1, 1e-7);
}

/// The moments are a share 1 - beta of the gradient, and the correction takes it out again: what is left is
/// the learning rate, to the last bits.
TEST(AdamW, TheFirstUpdateIsTheLearningRate) {
  for (const double beta2 : {0.95, 0.999, 0.99999}) {
    for (const float grad : {3e-4f, -0.7f, 11.0f}) {
      float param = 0, master = 0, m = 0, v = 0;
      const float scale = 1;
      const kernels::AdamW constants(0.9, beta2, 1e-12, 0);
      const kernels::AdamWStep step{1e-3f, static_cast<float>(1 - 0.9), static_cast<float>(1 - beta2)};
      kernels::cpu::adamw(&param, &master, &m, &v, &grad, &scale, &step, constants, 1);
      const double g = static_cast<double>(grad);
      const double m1 = (1 - 0.9) * g, v1 = (1 - beta2) * g * g;
      const double expected = -1e-3 * (m1 / (1 - 0.9)) / (std::sqrt(v1 / (1 - beta2)) + 1e-12);
      EXPECT_NEAR(static_cast<double>(master) / expected, 1.0, 5e-7)
          << "beta2 " << beta2 << ", grad " << grad;
      EXPECT_NEAR(static_cast<double>(v) / v1, 1.0, 3e-7);
    }
  }
}

TEST(Flops, MatchThePublishedTableFor7B) {
  config::Architecture a;
  a.hidden = 4096, a.ffn = 11008, a.layers = 32, a.heads = 32, a.kv_heads = 32, a.vocab = 32000;
  const FlopsPerToken flops = flops_per_token(a, 2048);
  EXPECT_NEAR(flops.causal / 1e9, 41.25, 0.01);
  EXPECT_NEAR(flops.full / 1e9, 42.86, 0.01);
}

TEST(InitNormal, IsAFunctionOfTheElementAlone) {
  std::vector<float> whole(1000);
  std::vector<float> part(300);
  kernels::cpu::init_normal(whole.data(), 1, 5000, 0.02f, 1000);
  kernels::cpu::init_normal(part.data(), 1, 5400, 0.02f, 300);
  for (std::size_t i = 0; i < part.size(); ++i) EXPECT_EQ(part[i], whole[400 + i]);
  double mean = 0, square = 0;
  for (const float x : whole) mean += x, square += static_cast<double>(x) * x;
  EXPECT_NEAR(mean / 1000, 0.0, 0.003);
  EXPECT_NEAR(std::sqrt(square / 1000), 0.02, 0.002);
}

}  // namespace
}  // namespace sxb::engine::train
