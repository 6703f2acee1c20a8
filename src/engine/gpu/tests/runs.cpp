#include <algorithm>

#include "engine/gpu/tests/test.h"
#include "stats/stopping_rule.h"

namespace sxb::engine::gpu {

std::vector<double> Runs::rates(double work, double unit) const {
  std::vector<double> values;
  for (const double s : seconds) values.push_back(work / s / unit);
  return values;
}

Runs repeat(const plan::GpuSuite& suite, const std::function<double()>& run) {
  constexpr double kLongest_s = 5;  // of one figure
  stats::StoppingBounds bounds;
  bounds.min_count = static_cast<std::size_t>(std::max(2, suite.min_runs));
  bounds.max_count = static_cast<std::size_t>(std::max(2, suite.max_runs));
  bounds.max_time = kLongest_s;
  stats::StoppingRule rule(bounds);
  Runs runs;
  while (!rule.done()) {
    runs.seconds.push_back(run());
    rule.add(runs.seconds.back());
  }
  runs.stable = rule.why() == stats::StopReason::kQuiet || rule.why() == stats::StopReason::kSettled;
  return runs;
}

}  // namespace sxb::engine::gpu
