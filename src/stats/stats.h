// Robust statistics of repeated measurements. Timings have a hard floor and a long upper tail, so the
// centre is the median and the spread is the MAD, never mean and standard deviation.
//
// Every function takes the values in any order and wants at least one of them: an empty sample has no
// median, and callers say "missing" instead of asking.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace sxb::stats {

/// Quantile of type 7 (Hyndman & Fan 1996; the default of R and NumPy): linear interpolation at
/// position (n-1)·p of the sorted values. `p` in [0, 1].
double quantile(std::span<const double> values, double p);
double median(std::span<const double> values);
/// The same without a copy: leaves the values in another order.
double median_reordering(std::span<double> values);
double mean(std::span<const double> values);

/// Median absolute deviation from the median, unscaled.
double mad(std::span<const double> values);
/// 1.4826 · MAD: estimates the standard deviation where the bulk of the values is normal.
inline constexpr double kMadToSigma = 1.4826;
/// sqrt(pi / 2): standard error of the median of many normal values over that of their mean.
inline constexpr double kMedianError = 1.2533;

struct Interval {
  double low = 0;
  double high = 0;
};
/// What a table of timings shows.
struct Summary {
  std::size_t count = 0;
  double median = 0, p5 = 0, p95 = 0, mad = 0;
};
Summary summarize(std::span<const double> values);

}  // namespace sxb::stats
