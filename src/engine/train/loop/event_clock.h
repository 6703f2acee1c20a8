// When steps ended on the host's clock, from what the device's clock says of their lengths.
#pragma once

#include <cstdint>
#include <limits>

namespace sxb::engine::train {

/// The clock behind CUDA's events and the host's monotonic clock differ by parts per million: after an hour
/// by more than a step, and then windows, phases and samples of metrics no longer describe the same time. The
/// host learns of the end of a step only when it wakes up, which is late by anything, but over many steps the
/// least lateness is always the same few microseconds: what it changes by is the clocks' drift.
class EventClock {
 public:
  /// Steps over which the least lateness is taken; then the clock is set again.
  static constexpr int kWindow = 50;

  /// `start_ns`: the host's clock at the start of the first step.
  explicit EventClock(std::int64_t start_ns = 0) : end_ns_(start_ns) {}

  /// End of the next step on the host's clock: it took `event_ms` on the device and had ended at `seen_ns`.
  std::int64_t step_ended(double event_ms, std::int64_t seen_ns);

 private:
  static constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::max();
  std::int64_t end_ns_;
  double part_ns_ = 0;             ///< of a nanosecond, so that none is lost over many steps
  std::int64_t least_ns_ = kNone;  ///< lateness in this window
  std::int64_t usual_ns_ = kNone;  ///< that of the first window
  int steps_ = 0;
};

}  // namespace sxb::engine::train
