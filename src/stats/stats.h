// Robust statistics of repeated measurements. Timings have a hard floor and a long upper tail, so the
// centre is the median and the spread is the MAD, never mean and standard deviation.
//
// Every function takes the values in any order and wants at least one of them: an empty sample has no
// median, and callers say "missing" instead of asking.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace sxb::stats {

/// Quantile of type 7 (Hyndman & Fan 1996; the default of R and NumPy): linear interpolation at
/// position (n-1)·p of the sorted values. `p` in [0, 1].
double quantile(std::span<const double> values, double p);
double median(std::span<const double> values);
double mean(std::span<const double> values);

/// Median absolute deviation from the median, unscaled.
double mad(std::span<const double> values);
/// 1.4826 · MAD: estimates the standard deviation where the bulk of the values is normal.
inline constexpr double kMadToSigma = 1.4826;

struct Interval {
  double low = 0;
  double high = 0;
};
/// Percentile bootstrap interval of the median (Efron 1979). The generator has a fixed seed, so the
/// same values in the same order always give the same interval.
Interval bootstrap_median(std::span<const double> values, double confidence = 0.95, int resamples = 1000,
                          std::uint64_t seed = 1);

/// What a table of timings shows.
struct Summary {
  std::size_t count = 0;
  double median = 0, p5 = 0, p95 = 0, mad = 0;
  Interval median_95;
};
Summary summarize(std::span<const double> values);

}  // namespace sxb::stats
