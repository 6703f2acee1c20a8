#include "engine/train/loop/event_clock.h"

#include <algorithm>
#include <cmath>

namespace sxb::engine::train {

std::int64_t EventClock::step_ended(double event_ms, std::int64_t seen_ns) {
  part_ns_ += event_ms * 1e6;
  const double whole = std::floor(part_ns_);
  part_ns_ -= whole;
  end_ns_ += static_cast<std::int64_t>(whole);
  least_ns_ = std::min(least_ns_, seen_ns - end_ns_);
  if (++steps_ == kWindow) {
    if (usual_ns_ == kNone) usual_ns_ = std::max<std::int64_t>(least_ns_, 0);
    end_ns_ += least_ns_ - usual_ns_;
    least_ns_ = kNone;
    steps_ = 0;
  }
  return end_ns_;
}

}  // namespace sxb::engine::train
