#include "stats/stats.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace sxb::stats {
double quantile(std::span<const double> values, double p) {
  std::vector<double> copy(values.begin(), values.end());
  const double position = p * static_cast<double>(copy.size() - 1);
  const auto below = copy.begin() + static_cast<std::ptrdiff_t>(std::floor(position));
  std::nth_element(copy.begin(), below, copy.end());
  if (below + 1 == copy.end()) return *below;
  const double above = *std::min_element(below + 1, copy.end());
  return *below + (position - std::floor(position)) * (above - *below);
}

double median_reordering(std::span<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*std::max_element(values.begin(), middle) + *middle) / 2;
}

double median(std::span<const double> values) {
  std::vector<double> copy(values.begin(), values.end());
  return median_reordering(copy);
}

double mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double mad(std::span<const double> values) {
  const double center = median(values);
  std::vector<double> deviations;
  deviations.reserve(values.size());
  for (const double value : values) deviations.push_back(std::abs(value - center));
  return median_reordering(deviations);
}

Summary summarize(std::span<const double> values) {
  return {values.size(), median(values), quantile(values, 0.05), quantile(values, 0.95), mad(values)};
}

}  // namespace sxb::stats
