// How much a figure changed between two runs, with an interval that knows the spread between repeats, and of
// one repeat that of its values, dependent as they may be.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <span>
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
  std::optional<double> worth;               ///< independent values in it, where the values are known

  /// Neither: nothing is known of the spread within.
  bool has_spread() const { return sigma || redraw; }

  // The values of these are in the order in which they were measured: neighbours may be alike, and then a
  // resample has as many values as they are worth (dependence.h).

  /// The median of positive values. Of one value, alone().
  static Repeat median_of(std::vector<double> values);
  /// Σ amounts / Σ times: a rate over steps of unequal work, which would be other work if measured again. Of
  /// one pair, alone().
  static Repeat rate_of(std::vector<double> amounts, std::vector<double> times);
  /// The same rate, if the amounts would be the same again: only what the times deviate from a line over the
  /// amounts by is noise. Of four pairs or fewer, rate_of().
  static Repeat rate_on_same_work(const std::vector<double>& amounts, const std::vector<double>& times);
  /// A figure of which only the standard error was recorded.
  static Repeat summarized(double figure, double standard_error);
  static Repeat alone(double figure) { return {figure, std::nullopt, {}, std::nullopt}; }
};

/// The figure of several repeats, as reports state it: their median.
double center(const std::vector<Repeat>& repeats);

/// 95 % interval of center(), as of relative_change(); absent where no spread is known.
std::optional<Interval> center_interval(const std::vector<Repeat>& repeats, int resamples = 1000,
                                        std::uint64_t seed = 1);

struct Change {
  double ratio = 0;                  ///< center(b) / center(a) - 1
  std::optional<Interval> interval;  ///< of the ratio; absent where neither side has any spread
  /// Of one repeat a side, how many independent values are behind it, on the side that has fewer.
  std::optional<double> worth = std::nullopt;

  /// Too few for a verdict, whatever the interval: how alike they are is then not known well either.
  bool too_few_values() const { return worth && *worth < 5; }
};

/// From two repeats of a side on its repeats tell how much a repeat varies, for whatever reason: Student's
/// interval of the logarithms, their variance pooled over both sides, whose repeats are taken to vary alike
/// (one repeat by itself varies no less than its values say). Of one repeat a side only these are known: the
/// bootstrap draws from each as many as they are worth (Bickel, Götze & van Zwet 1997: m out of n), and
/// widens what m of them deviate by, which is too little, by sqrt(m/(m-1)) t(m-1)/1.96. Where the deviations
/// are normal, so are the resamples, and their quantiles are taken from the formula.
///
/// Both sides hold at least one repeat. The seed is fixed: the same values give the same interval.
Change relative_change(const std::vector<Repeat>& a, const std::vector<Repeat>& b, int resamples = 1000,
                       std::uint64_t seed = 1);

enum class StepFigure { kRate, kMedian };
/// Of one repeat a side that did the same work step by step: what a step of both sides has in common, as its
/// work, is no noise. Positive times of equal number, in order: the change of the rate, Σ a / Σ b - 1, or of
/// the median time.
Change paired_change(std::span<const double> a, std::span<const double> b, StepFigure figure,
                     int resamples = 1000, std::uint64_t seed = 1);

enum class Direction { kSame, kHigher, kLower, kUnclear };
/// Whether a change is one, given the smallest that matters (`threshold`, relative):
///   kHigher, kLower  it exceeds the threshold, and its interval excludes zero
///   kUnclear         it exceeds the threshold, but too few values say so; or the interval reaches further
///                    than the threshold from the figure: a change that matters may be hidden in it
///   kSame            otherwise
/// A change without an interval is judged against `blind_threshold`.
Direction direction(const Change& change, double threshold, double blind_threshold);

}  // namespace sxb::stats
