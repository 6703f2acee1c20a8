// How much a figure changed between two runs, with an interval that knows the spread within a repeat and
// between the repeats.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <vector>

#include "stats/stats.h"

namespace sxb::stats {

using Generator = std::mt19937_64;

/// One repeat of a measurement: its figure, and how the figure might have come out if measured again, as the
/// logarithm of its deviation from the figure.
struct Repeat {
  double figure = 0;                         ///< positive
  std::optional<double> sigma;               ///< the deviation is normal, of this standard deviation
  std::function<double(Generator&)> redraw;  ///< draws the deviation where the values are known

  /// Neither: nothing is known of the spread within.
  bool has_spread() const { return sigma || redraw; }

  /// The median of positive values, redrawn by resampling them; of one value, alone().
  static Repeat median_of(std::vector<double> values);
  /// Σ amounts / Σ times, redrawn by resampling the pairs: a rate over steps of unequal work. Of one pair,
  /// alone().
  static Repeat rate_of(std::vector<double> amounts, std::vector<double> times);
  /// A figure of which only the standard error was recorded.
  static Repeat summarized(double figure, double standard_error);
  static Repeat alone(double figure) { return {figure, std::nullopt, {}}; }
};

/// The figure of several repeats, as reports state it: their median.
double center(const std::vector<Repeat>& repeats);

/// 95 % interval of center(), by the bootstrap of relative_change(); absent where no spread is known.
std::optional<Interval> center_interval(const std::vector<Repeat>& repeats, int resamples = 1000,
                                        std::uint64_t seed = 1);

struct Change {
  double ratio = 0;                  ///< center(b) / center(a) - 1
  std::optional<Interval> interval;  ///< of the ratio; absent where neither side has any spread
};

/// Bootstrap on two levels (Davison & Hinkley 1997, 3.8): every resample draws repeats with replacement, and
/// each of these again from what is known within it; it takes the ratio of the medians. One repeat leaves
/// only the spread within. Few values resample to too narrow a spread: on each level the deviations of k
/// values are widened by sqrt(k/(k-1)) t(k-1)/1.96 (bias of the variance; Student's 97.5 % quantile).
/// Deviations add on a logarithmic scale. Of one repeat a side whose deviations are normal, the resamples are
/// too, and their quantiles are taken from the formula instead.
///
/// Both sides hold at least one repeat. The seed is fixed: the same values give the same interval.
Change relative_change(const std::vector<Repeat>& a, const std::vector<Repeat>& b, int resamples = 1000,
                       std::uint64_t seed = 1);

enum class Direction { kSame, kHigher, kLower, kUnclear };
/// Whether a change is one, given the smallest that matters (`threshold`, relative):
///   kHigher, kLower  it exceeds the threshold, and its interval excludes zero
///   kUnclear         the interval reaches further than the threshold from the figure: a change that
///                    matters may be hidden in it
///   kSame            otherwise
/// A change without an interval is judged against `blind_threshold`.
Direction direction(const Change& change, double threshold, double blind_threshold);

}  // namespace sxb::stats
