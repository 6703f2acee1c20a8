// When the sampler ticks.
#pragma once

#include <cstdint>

namespace sxb::metrics {

/// The deadline after `deadline` on its grid of `interval_ns` that is still to come at `now_ns`. Ticks
/// stay on the grid (no drift), and those a slow tick has missed are skipped, not caught up in a burst.
constexpr std::int64_t next_deadline(std::int64_t deadline, std::int64_t interval_ns, std::int64_t now_ns) {
  const std::int64_t next = deadline + interval_ns;
  return next > now_ns ? next : next + ((now_ns - next) / interval_ns + 1) * interval_ns;
}

}  // namespace sxb::metrics
