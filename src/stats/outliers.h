// Values that stand off from the others. They are marked and shown, never left out of a figure.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace sxb::stats {

enum class Severity { kLow, kHigh };
const char* to_string(Severity severity);  ///< low, high

/// An outlier is both unlikely beside the spread of the others and large enough to matter: times of a
/// quiet GPU have a MAD of 0.1 %, and 0.5 % off the median is then unlikely, yet nobody's fault.
struct OutlierRule {
  std::size_t min_count = 8;    ///< fewer values show no spread to stand off from: none is marked
  double sigmas = 3.5;          ///< |value - median| / (1.4826 MAD), Iglewicz and Hoaglin's 3.5
  double effect = 0.05;         ///< and |value - median| / |median|
  double spread_floor = 0.005;  ///< least 1.4826 MAD / |median|, for values most of which are equal
  double high = 2;              ///< severity high: both limits exceeded so many times
};

struct Outlier {
  std::size_t index = 0;  ///< into the values
  double deviation = 0;   ///< (value - median) / |median|; its sign tells the side
  double sigmas = 0;      ///< |value - median| / (1.4826 MAD), MAD not below its floor
  Severity severity = Severity::kLow;
};

/// In the order of the values. A median of zero allows no relative effect: none is marked.
std::vector<Outlier> mark_outliers(std::span<const double> values, const OutlierRule& rule = {});

}  // namespace sxb::stats
