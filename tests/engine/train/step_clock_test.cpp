// Phases and spans of a step on the CPU, where the stamps are the host's clock.
#include <gtest/gtest.h>

#include "engine/train/device/device.h"
#include "engine/train/device/step_clock.h"

namespace sxb::engine::train {
namespace {

StepMarks marks_of(std::vector<StepPhase> phases) {
  StepMarks marks;
  for (const StepPhase phase : phases) marks.marks.push_back({phase, marks.stamps++});
  return marks;
}

TEST(PhaseTimes, AreDisjointAndAddUp) {
  using enum StepPhase;
  // Two micro-steps; a wait inside the first forward and one inside the optimizer's step.
  const StepMarks marks = marks_of({kForward, kExposedComm, kForward, kBackward, kOutside, kForward,
                                    kBackward, kOptimizer, kExposedComm, kOptimizer, kOutside});
  const std::int64_t ms = 1'000'000;
  const std::int64_t stamps[] = {0,       1 * ms,  3 * ms,  7 * ms,  15 * ms, 31 * ms,
                                 32 * ms, 34 * ms, 38 * ms, 46 * ms, 62 * ms};
  const PhaseTimes times = phase_times(marks, stamps);
  EXPECT_DOUBLE_EQ(times.forward_ms, 1 + 4 + 1);
  EXPECT_DOUBLE_EQ(times.backward_ms, 8 + 2);
  EXPECT_DOUBLE_EQ(times.optimizer_ms, 4 + 16);
  EXPECT_DOUBLE_EQ(times.exposed_comm_ms, 2 + 8);
}

TEST(StepClock, CommunicationOfACpuRankIsExposed) {
  const Device device = Device::make(false, false);
  StepClock& clock = *device.clock;
  clock.reserve(1, 3);
  clock.begin();
  { const Span outside(device, Track::kCommunication, "gather", 0); }
  EXPECT_TRUE(clock.marks().marks.empty());  // not part of a step
  device.enter(StepPhase::kForward);
  { const Span inside(device, Track::kCommunication, "gather", 0); }
  { const Span compute(device, Track::kCompute, "forward", 0); }
  device.enter(StepPhase::kOutside);
  const auto& marks = clock.marks().marks;
  ASSERT_EQ(marks.size(), 4u);
  EXPECT_EQ(marks[1].begins, StepPhase::kExposedComm);
  EXPECT_EQ(marks[2].begins, StepPhase::kForward);  // what was interrupted goes on
  EXPECT_TRUE(clock.marks().spans.empty());         // not tracing
}

TEST(StepClock, RefusesMoreMarksThanFit) {
  const Device device = Device::make(false, false);
  device.clock->begin();
  EXPECT_THROW(
      {
        for (int i = 0; i < 100; ++i) device.enter(StepPhase::kForward);
      },
      EngineError);
}

}  // namespace
}  // namespace sxb::engine::train
