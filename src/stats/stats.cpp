#include "stats/stats.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

namespace sxb::stats {
namespace {

std::vector<double> sorted(std::span<const double> values) {
  std::vector<double> copy(values.begin(), values.end());
  std::sort(copy.begin(), copy.end());
  return copy;
}

double quantile_of_sorted(const std::vector<double>& values, double p) {
  const double position = p * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(std::floor(position));
  const std::size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (position - static_cast<double>(below)) * (values[above] - values[below]);
}

/// Median by selection; reorders `values`. Equal to quantile(values, 0.5).
double select_median(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*std::max_element(values.begin(), middle) + *middle) / 2;
}

}  // namespace

double quantile(std::span<const double> values, double p) { return quantile_of_sorted(sorted(values), p); }

double median(std::span<const double> values) {
  std::vector<double> copy(values.begin(), values.end());
  return select_median(copy);
}

double mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double mad(std::span<const double> values) {
  const double center = median(values);
  std::vector<double> deviations;
  deviations.reserve(values.size());
  for (const double value : values) deviations.push_back(std::abs(value - center));
  return select_median(deviations);
}

Interval bootstrap_median(std::span<const double> values, double confidence, int resamples,
                          std::uint64_t seed) {
  // mt19937_64 gives the same numbers everywhere; the standard's distributions do not, hence the
  // modulo (its bias, n / 2^64, is far below anything a resample can show).
  std::mt19937_64 generator(seed);
  std::vector<double> medians;
  std::vector<double> resample(values.size());
  medians.reserve(static_cast<std::size_t>(resamples));
  for (int i = 0; i < resamples; ++i) {
    for (double& value : resample) value = values[generator() % values.size()];
    medians.push_back(select_median(resample));
  }
  std::sort(medians.begin(), medians.end());
  const double tail = (1 - confidence) / 2;
  return {quantile_of_sorted(medians, tail), quantile_of_sorted(medians, 1 - tail)};
}

Summary summarize(std::span<const double> values) {
  const std::vector<double> order = sorted(values);
  return {order.size(),
          quantile_of_sorted(order, 0.5),
          quantile_of_sorted(order, 0.05),
          quantile_of_sorted(order, 0.95),
          mad(order),
          bootstrap_median(order)};
}

}  // namespace sxb::stats
