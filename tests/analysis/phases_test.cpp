// Attribution of samples to phases, on journals with a known answer.
#include "analysis/sft/phases.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/analysis.h"
#include "support/hardware_facts.h"
#include "support/phase_run.h"
#include "support/synthetic_run.h"

namespace sxb::analysis {
namespace {

using testing::PhaseSpec;

constexpr std::size_t kForward = 0, kBackward = 1, kOptimizer = 2;

StepBreakdown broken_down(const PhaseSpec& spec) {
  const auto folder = testing::scratch("run");
  testing::make_phase_run(folder, spec);
  const auto dataset = load_dataset(folder);
  EXPECT_TRUE(dataset.ok());
  const auto groups = group_sft(*dataset, testing::shipped_hardware());
  EXPECT_EQ(groups.size(), 1u);
  return groups.front().phases;
}

void expect_activity(const PartFigures& part, std::size_t samples, double sm, double tensor, double dram) {
  EXPECT_EQ(part.activity.sm_active_pct.count, samples);
  EXPECT_NEAR(part.sm_active_pct.value_or(-1), sm, 1e-9);
  EXPECT_NEAR(part.tensor_active_pct.value_or(-1), tensor, 1e-9);
  EXPECT_NEAR(part.dram_active_pct.value_or(-1), dram, 1e-9);
}

// Ticks at 0, 100 ... of a step: three spans inside forward, one across its end, five inside backward.
TEST(Phases, SamplesAcrossABorderCountForNone) {
  const StepBreakdown phases = broken_down({});
  EXPECT_EQ(phases.steps, 12u);
  ASSERT_EQ(phases.parts.size(), 4u);
  expect_activity(phases.parts[kForward], 3 * 12 * 2, 90, 70, 20);
  expect_activity(phases.parts[kBackward], 5 * 12 * 2, 95, 80, 30);
  expect_activity(phases.parts[kOptimizer], 1 * 12 * 2, 60, 0, 90);
  EXPECT_EQ(phases.parts[kExposed].activity.sm_active_pct.count, 0u);
  EXPECT_FALSE(phases.parts[kExposed].sm_active_pct);
}

// Ticks 15 ms late: no span has 90 % inside the 100 ms of the optimizer, and forward still has three
// (15-115, 115-215, 215-315); 315-415 and 815-915 are mixtures.
TEST(Phases, AShortPhaseIsMissingAndNotAMixture) {
  PhaseSpec spec;
  spec.first_sample_ns = 15'000'000;
  const StepBreakdown phases = broken_down(spec);
  expect_activity(phases.parts[kForward], 3 * 12 * 2, 90, 70, 20);
  expect_activity(phases.parts[kBackward], 4 * 12 * 2, 95, 80, 30);
  EXPECT_EQ(phases.parts[kOptimizer].activity.sm_active_pct.count, 0u);
  EXPECT_FALSE(phases.parts[kOptimizer].sm_active_pct);
}

// 60 ms of waits, nobody knows where: forward is certain from 60 to 330 ms, backward from 390 to 840 ms, the
// optimizer, which could end at 940 ms, has less than a span left.
TEST(Phases, WaitsMakeTheBordersUncertain) {
  PhaseSpec spec;
  spec.exposed_ms = 60;
  const StepBreakdown phases = broken_down(spec);
  expect_activity(phases.parts[kForward], 2 * 12 * 2, 90, 70, 20);
  expect_activity(phases.parts[kBackward], 4 * 12 * 2, 95, 80, 30);
  EXPECT_EQ(phases.parts[kOptimizer].activity.sm_active_pct.count, 0u);
}

TEST(Phases, TimesAndSharesAreThoseOfTheSteps) {
  PhaseSpec spec;
  spec.forward_extra_ms = 170;
  const StepBreakdown phases = broken_down(spec);
  EXPECT_DOUBLE_EQ(*phases.step_ms, 1000);
  EXPECT_DOUBLE_EQ(*phases.parts[kForward].ms, 330);
  EXPECT_DOUBLE_EQ(*phases.parts[kBackward].share, 0.565);
  EXPECT_DOUBLE_EQ(*phases.parts[kExposed].share, 0.005);
  EXPECT_NEAR(*phases.rest_share, 0, 1e-12);
  EXPECT_EQ(phases.parts[kForward].fastest()->rank, 0);
  EXPECT_EQ(phases.parts[kForward].slowest()->rank, 1);
  EXPECT_DOUBLE_EQ(phases.parts[kForward].slowest()->ms, 500);
  EXPECT_EQ(phases.parts[kBackward].fastest()->rank, 1);
}

// On rank 1 forward ends at 500 ms: by the borders of rank 0 its spans 400-500 would count as backward.
TEST(Phases, BordersAreThoseOfTheRankOnTheGpu) {
  PhaseSpec spec;
  spec.forward_extra_ms = 170;
  const StepBreakdown phases = broken_down(spec);
  expect_activity(phases.parts[kForward], (3 + 5) * 12, 90, 70, 20);
  expect_activity(phases.parts[kBackward], (5 + 4) * 12, 95, 80, 30);
}

// 7.65 s: taken as it is, the other node's forward would lie in backward.
TEST(Phases, TheClockOfAnotherNodeIsAlignedByTheWindows) {
  PhaseSpec spec;
  spec.nodes = 2;
  spec.clock_offset_ns = 7'650'000'000;
  const StepBreakdown phases = broken_down(spec);
  expect_activity(phases.parts[kForward], 3 * 12 * 4, 90, 70, 20);
  expect_activity(phases.parts[kBackward], 5 * 12 * 4, 95, 80, 30);
}

TEST(Phases, NodesWhoseWindowsDisagreeCountForNothing) {
  PhaseSpec spec;
  spec.nodes = 2;
  spec.window_extra_ns = 200'000'000;  // a fifth of a step
  expect_activity(broken_down(spec).parts[kForward], 3 * 12 * 2, 90, 70, 20);
}

// An instant reading describes 125 ms: at 200 and 300 ms of a step those lie in forward, at 500 ... 900 in
// backward, never in the 100 ms of the optimizer.
TEST(Phases, PowerAndEnergyPerToken) {
  const StepBreakdown phases = broken_down({});
  EXPECT_EQ(phases.parts[kForward].activity.power_w.count, 2u * 12 * 2);
  EXPECT_DOUBLE_EQ(*phases.parts[kForward].power_w, 600);
  EXPECT_EQ(phases.parts[kBackward].activity.power_w.count, 5u * 12 * 2);
  EXPECT_DOUBLE_EQ(*phases.parts[kBackward].power_w, 700);
  EXPECT_EQ(phases.parts[kOptimizer].activity.power_w.count, 0u);
  EXPECT_FALSE(phases.parts[kOptimizer].energy_mj_per_token);
  EXPECT_DOUBLE_EQ(*phases.parts[kForward].energy_mj_per_token, 600.0 * 330 / 20000);
}

// power_w is a mean over a second, longer than any of these phases.
TEST(Phases, PowerOverASecondBelongsToNoPhase) {
  PhaseSpec spec;
  spec.power_instant = false;
  for (const PartFigures& part : broken_down(spec).parts) EXPECT_EQ(part.activity.power_w.count, 0u);
}

TEST(Phases, WithoutGpmTheTimesStayAndTheActivityIsMissing) {
  PhaseSpec spec;
  spec.gpm = false;
  const StepBreakdown phases = broken_down(spec);
  EXPECT_DOUBLE_EQ(*phases.parts[kBackward].ms, 565);
  EXPECT_FALSE(phases.parts[kBackward].sm_active_pct);
  EXPECT_FALSE(phases.gpm_s);
  EXPECT_DOUBLE_EQ(*phases.tick_s, 0.1);
}

TEST(Phases, AlternatingMicroStepsLeaveOnlyTheOptimizer) {
  PhaseSpec spec;
  spec.accumulation = 4;
  const StepBreakdown phases = broken_down(spec);
  EXPECT_TRUE(phases.alternating);
  EXPECT_EQ(phases.parts[kForward].activity.sm_active_pct.count, 0u);
  EXPECT_EQ(phases.parts[kBackward].activity.sm_active_pct.count, 0u);
  expect_activity(phases.parts[kOptimizer], 12 * 2, 60, 0, 90);
}

TEST(Phases, FewSamplesMakeNoMean) {
  PhaseSpec spec;
  spec.steps = 3;  // 3 x 2 in the optimizer
  const StepBreakdown phases = broken_down(spec);
  EXPECT_EQ(phases.parts[kOptimizer].activity.sm_active_pct.count, 6u);
  EXPECT_FALSE(phases.parts[kOptimizer].sm_active_pct);
  EXPECT_TRUE(phases.parts[kForward].sm_active_pct);
}

TEST(Phases, AJournalWithoutTimesHasNoBreakdown) {
  PhaseSpec spec;
  spec.times = false;
  const StepBreakdown phases = broken_down(spec);
  EXPECT_EQ(phases.steps, 0u);
  EXPECT_TRUE(phases.parts.empty());
}

}  // namespace
}  // namespace sxb::analysis
