#include "stats/outliers.h"

#include <algorithm>
#include <cmath>

#include "stats/stats.h"

namespace sxb::stats {

const char* to_string(Severity severity) { return severity == Severity::kHigh ? "high" : "low"; }

std::vector<Outlier> mark_outliers(std::span<const double> values, const OutlierRule& rule) {
  std::vector<Outlier> out;
  if (values.empty() || values.size() < rule.min_count) return out;
  const double center = median(values);
  if (center == 0) return out;
  const double spread = std::max(kMadToSigma * mad(values) / std::abs(center), rule.spread_floor);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double deviation = (values[i] - center) / std::abs(center);
    const double sigmas = std::abs(deviation) / spread;
    if (sigmas <= rule.sigmas || std::abs(deviation) <= rule.effect) continue;
    const bool high = sigmas > rule.high * rule.sigmas && std::abs(deviation) > rule.high * rule.effect;
    out.push_back({i, deviation, sigmas, high ? Severity::kHigh : Severity::kLow});
  }
  return out;
}

}  // namespace sxb::stats
