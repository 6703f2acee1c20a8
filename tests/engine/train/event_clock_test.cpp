// Ends of steps stay on the host's clock, however the device's clock runs.
#include "engine/train/loop/event_clock.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace sxb::engine::train {
namespace {

/// The largest error over `steps` steps of 100 ms on a device whose clock is `ppm` fast, where the host sees
/// each end a few microseconds late, and now and then much later.
double worst_error_ms(double ppm, std::int64_t steps) {
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> usual_us(8, 30), burst_ms(0, 80);
  constexpr std::int64_t kStart = 1'000'000'000'000;
  EventClock clock(kStart);
  double true_ns = 0, worst_ms = 0;
  for (std::int64_t step = 1; step <= steps; ++step) {
    const double ms = 100 + 5 * std::sin(static_cast<double>(step));
    true_ns += ms * 1e6;
    const double late_ns = usual_us(random) * 1e3 + (step % 3 == 0 ? burst_ms(random) * 1e6 : 0);
    // A float of CUDA, on the device's clock.
    const auto event_ms = static_cast<double>(static_cast<float>(ms * (1 + ppm * 1e-6)));
    const std::int64_t end =
        clock.step_ended(event_ms, kStart + static_cast<std::int64_t>(true_ns + late_ns));
    worst_ms = std::max(worst_ms, std::abs(static_cast<double>(end - kStart) - true_ns) * 1e-6);
  }
  return worst_ms;
}

TEST(EventClock, StaysOnTheHostsClockForHours) {
  // Four hours of steps. Without setting the clock again 50 ppm come to 720 ms.
  for (const double ppm : {0.0, 5.0, 50.0, -50.0}) {
    // Of one window: 5 s times the drift, and what the host sees late at best.
    EXPECT_LT(worst_error_ms(ppm, 144'000), 5.3e3 * std::abs(ppm) * 1e-6 * 2 + 0.1) << ppm << " ppm";
  }
}

TEST(EventClock, AHostThatIsAlwaysLateMovesNothing) {
  EventClock clock(0);
  for (int step = 1; step <= 1000; ++step) {
    // Ten milliseconds late from the first step on: that is how late it is, no drift.
    EXPECT_EQ(clock.step_ended(100, step * std::int64_t{100'000'000} + 10'000'000),
              step * std::int64_t{100'000'000});
  }
}

TEST(EventClock, PartsOfNanosecondsAddUp) {
  EventClock clock(0);
  std::int64_t end = 0;
  for (int step = 0; step < 49; ++step) end = clock.step_ended(1.0 / 3 + 1e-9 / 3, 1'000'000'000);
  EXPECT_EQ(end, static_cast<std::int64_t>(49 * (1e6 / 3 + 1e-3 / 3)));
}

}  // namespace
}  // namespace sxb::engine::train
