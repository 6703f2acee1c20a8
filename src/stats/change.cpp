#include "stats/change.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "stats/dependence.h"

namespace sxb::stats {
namespace {

/// The upper half of the number, scaled: cheaper than a remainder, and as even (counts are far below 2^32).
std::size_t draw_index(Generator& generator, std::size_t count) {
  return ((generator() >> 32) * count) >> 32;
}

/// The middles of 4096 equal parts of the normal distribution, by Newton's method; from the left, and above
/// the median, where the distribution function is concave, every step stays below the root.
std::vector<double> normal_quantiles() {
  constexpr std::size_t kParts = 4096;
  std::vector<double> quantiles(kParts);
  double x = 0;
  for (std::size_t i = kParts / 2; i < kParts; ++i) {
    const double p = (static_cast<double>(i) + 0.5) / kParts;
    for (int step = 0; step < 8; ++step) {
      const double below = 0.5 * std::erfc(-x / std::numbers::sqrt2);
      x += (p - below) * std::sqrt(2 * std::numbers::pi) * std::exp(x * x / 2);
    }
    quantiles[i] = x;
    quantiles[kParts - 1 - i] = -x;
  }
  return quantiles;
}

/// Mean 0, deviation 1; the standard's own differs between libraries.
double draw_normal(Generator& generator) {
  static const std::vector<double> quantiles = normal_quantiles();
  return quantiles[draw_index(generator, quantiles.size())];
}

/// Student's 97.5 % quantile: a table where the expansion in 1/df (Abramowitz & Stegun 26.7.5) is too far
/// off. The first two terms are at most 0.9 % low, at 5 degrees of freedom.
double student_975(double df) {
  constexpr std::array kTable = {12.706, 4.303, 3.182, 2.776};
  if (df <= kTable.size()) return kTable[static_cast<std::size_t>(df) - 1];
  const double z = 1.960;
  const double cube = z * z * z;
  return z + (cube + z) / (4 * df) + (5 * cube * z * z + 16 * cube + 3 * z) / (96 * df * df);
}

/// A resample of `count` values deviates too little: by what factor.
double widening(std::size_t count) {
  if (count < 2) return 1;
  const double n = static_cast<double>(count);
  return std::sqrt(n / (n - 1)) * student_975(n - 1) / 1.960;
}

/// How many values a resample draws. Of values that are worth fewer than four it draws four: they are too few
/// for a change in any case (Change::too_few_values), and Student's quantile for one or two would say of the
/// quietest machine that anything may hide in it.
std::size_t draws_for(double worth, std::size_t count) {
  return std::max(static_cast<std::size_t>(std::max(1.0, std::round(worth))),
                  std::min<std::size_t>(count, 4));
}

/// Median of a resample of sorted values. Counts how often each is drawn and walks to the middle, which needs
/// neither a copy nor a selection.
class MedianResampler {
 public:
  explicit MedianResampler(std::vector<double> values) : sorted_(std::move(values)), drawn_(sorted_.size()) {
    std::sort(sorted_.begin(), sorted_.end());
  }

  double draw(std::size_t count, Generator& generator) {
    std::fill(drawn_.begin(), drawn_.end(), 0u);
    for (std::size_t i = 0; i < count; ++i) ++drawn_[draw_index(generator, sorted_.size())];
    const std::size_t lower = (count - 1) / 2;
    const std::size_t upper = count / 2;
    std::size_t i = 0;
    std::size_t seen = drawn_[0];
    while (seen <= lower) seen += drawn_[++i];
    const double low = sorted_[i];
    while (seen <= upper) seen += drawn_[++i];
    return (low + sorted_[i]) / 2;
  }

 private:
  std::vector<double> sorted_;
  std::vector<std::uint32_t> drawn_;
};

/// A median moves with how many values lie on either side of it. In a short series those are less alike than
/// the values themselves, which would make the interval too narrow.
double worth_of_median(std::span<const double> values, double middle) {
  std::vector<double> sides;
  for (const double value : values) sides.push_back((value > middle) - (value < middle));
  return std::min(independent_count(sides), independent_count(values));
}

/// Through fewer values a line passes too well.
constexpr std::size_t kFewestOnALine = 5;

/// What the values leave of a line over the amounts (least squares), as the line's freedom makes them too
/// small; of equal amounts, of the mean.
std::vector<double> off_the_line(const std::vector<double>& amounts, const std::vector<double>& values) {
  const double x0 = mean(amounts);
  const double y0 = mean(values);
  double xx = 0, xy = 0;
  for (std::size_t i = 0; i < amounts.size(); ++i) {
    xx += (amounts[i] - x0) * (amounts[i] - x0);
    xy += (amounts[i] - x0) * (values[i] - y0);
  }
  const double slope = xx > 0 ? xy / xx : 0;
  const double n = static_cast<double>(amounts.size());
  const double factor = xx > 0 ? std::sqrt((n - 1) / (n - 2)) : 1;
  std::vector<double> left;
  for (std::size_t i = 0; i < amounts.size(); ++i)
    left.push_back(factor * (values[i] - y0 - slope * (amounts[i] - x0)));
  return left;
}

double sum_of(std::span<const double> values) { return mean(values) * static_cast<double>(values.size()); }

Interval normal_interval(double sigma) { return {-1.960 * sigma, 1.960 * sigma}; }

template <typename Draw>
Interval bootstrap_interval(int resamples, std::uint64_t seed, const Draw& draw) {
  Generator generator(seed);
  std::vector<double> deviations(static_cast<std::size_t>(resamples));
  for (double& deviation : deviations) deviation = draw(generator);
  return {quantile(deviations, 0.025), quantile(deviations, 0.975)};
}

/// Standard deviation of what draw_within() draws, where it is normal.
std::optional<double> normal_within(const Repeat& repeat) {
  return repeat.redraw ? std::nullopt : std::optional(repeat.sigma.value_or(0));
}

double draw_within(const Repeat& repeat, Generator& generator) {
  if (repeat.redraw) return repeat.redraw(generator);
  return repeat.sigma ? *repeat.sigma * draw_normal(generator) : 0;
}

/// Of the logarithm of a figure that one repeat alone has.
Interval interval_within(const Repeat& repeat, int resamples, std::uint64_t seed) {
  if (const auto sigma = normal_within(repeat)) return normal_interval(*sigma);
  return bootstrap_interval(resamples, seed,
                            [&](Generator& generator) { return draw_within(repeat, generator); });
}

/// How the logarithms of repeats vary, pooled over sides.
struct Between {
  double squares = 0;
  std::size_t freedom = 0;

  void add(const std::vector<Repeat>& repeats) {
    std::vector<double> logs;
    for (const Repeat& repeat : repeats) logs.push_back(std::log(repeat.figure));
    const double middle = mean(logs);
    for (const double log : logs) squares += (log - middle) * (log - middle);
    freedom += logs.size() - 1;
  }
  double variance() const { return squares / static_cast<double>(freedom); }
};

/// Variance of the median of k normal values over that of one: pi / 2k for many, exact for one and two, at
/// most 3 % off between.
double variance_of_median(std::size_t k) {
  constexpr double kHalfPi = std::numbers::pi / 2;
  return kHalfPi / (static_cast<double>(k) + (k % 2 == 0 ? 2 : 1) * (kHalfPi - 1));
}

/// Of the logarithm of center(), given how repeats vary.
double variance_of_center(const std::vector<Repeat>& repeats, const Between& between, int resamples,
                          std::uint64_t seed) {
  const double variance = between.variance() * variance_of_median(repeats.size());
  if (repeats.size() > 1) return variance;
  const Interval within = interval_within(repeats.front(), resamples, seed);
  const double sigma = (within.high - within.low) / (2 * 1.960);
  return std::max(variance, sigma * sigma);
}

Interval student_interval(double variance, std::size_t freedom) {
  const double half = student_975(static_cast<double>(freedom)) * std::sqrt(variance);
  return {-half, half};
}

/// `deviation`: of the logarithm of the ratio.
Change change_within(double ratio, const Interval& deviation, std::optional<double> worth) {
  return {ratio - 1, Interval{ratio * std::exp(deviation.low) - 1, ratio * std::exp(deviation.high) - 1},
          worth};
}

}  // namespace

Repeat Repeat::median_of(std::vector<double> values) {
  const double figure = median(values);
  if (values.size() < 2) return alone(figure);
  const double worth = worth_of_median(values, figure);
  return {figure, std::nullopt,
          [figure, draws = draws_for(worth, values.size()),
           resampler = MedianResampler(std::move(values))](Generator& generator) mutable {
            return widening(draws) * std::log(resampler.draw(draws, generator) / figure);
          },
          worth};
}

Repeat Repeat::rate_of(std::vector<double> amounts, std::vector<double> times) {
  const double figure = sum_of(amounts) / sum_of(times);
  if (amounts.size() < 2) return alone(figure);
  std::vector<double> left;
  for (std::size_t i = 0; i < amounts.size(); ++i) left.push_back(amounts[i] - figure * times[i]);
  const double worth = independent_count(left);
  return {figure, std::nullopt,
          [figure, draws = draws_for(worth, amounts.size()), amounts = std::move(amounts),
           times = std::move(times)](Generator& generator) {
            double sum = 0, seconds = 0;
            for (std::size_t i = 0; i < draws; ++i) {
              const std::size_t drawn = draw_index(generator, amounts.size());
              sum += amounts[drawn];
              seconds += times[drawn];
            }
            return widening(draws) * std::log(sum / seconds / figure);
          },
          worth};
}

Repeat Repeat::rate_on_same_work(const std::vector<double>& amounts, const std::vector<double>& times) {
  if (amounts.size() < kFewestOnALine) return rate_of(amounts, times);
  const double figure = sum_of(amounts) / sum_of(times);
  std::vector<double> left = off_the_line(amounts, times);
  const double worth = independent_count(left);
  return {figure, std::nullopt,
          [typical = mean(times), draws = draws_for(worth, left.size()),
           left = std::move(left)](Generator& generator) {
            double seconds = 0;
            for (std::size_t i = 0; i < draws; ++i) seconds += left[draw_index(generator, left.size())];
            const double time = 1 + seconds / (static_cast<double>(draws) * typical);
            return -widening(draws) * std::log(std::max(time, 1e-3));
          },
          worth};
}

Repeat Repeat::summarized(double figure, double standard_error) {
  return {figure, standard_error / figure, {}, std::nullopt};
}

double center(const std::vector<Repeat>& repeats) {
  std::vector<double> figures;
  for (const Repeat& repeat : repeats) figures.push_back(repeat.figure);
  return median_reordering(figures);
}

std::optional<Interval> center_interval(const std::vector<Repeat>& repeats, int resamples,
                                        std::uint64_t seed) {
  Interval deviation;
  if (repeats.size() > 1) {
    Between between;
    between.add(repeats);
    deviation = student_interval(variance_of_center(repeats, between, resamples, seed), between.freedom);
  } else if (repeats.front().has_spread()) {
    deviation = interval_within(repeats.front(), resamples, seed);
  } else {
    return std::nullopt;
  }
  const double middle = center(repeats);
  return Interval{middle * std::exp(deviation.low), middle * std::exp(deviation.high)};
}

Change relative_change(const std::vector<Repeat>& a, const std::vector<Repeat>& b, int resamples,
                       std::uint64_t seed) {
  const double ratio = center(b) / center(a);
  if (a.size() > 1 || b.size() > 1) {
    Between between;
    between.add(a);
    between.add(b);
    const double variance =
        variance_of_center(a, between, resamples, seed) + variance_of_center(b, between, resamples, seed);
    return change_within(ratio, student_interval(variance, between.freedom), std::nullopt);
  }
  const Repeat& in_a = a.front();
  const Repeat& in_b = b.front();
  if (!in_a.has_spread() && !in_b.has_spread()) return {ratio - 1, std::nullopt};
  const std::optional<double> sigma_a = normal_within(in_a);
  const std::optional<double> sigma_b = normal_within(in_b);
  const auto draw = [&](Generator& generator) {
    const double drawn_b = draw_within(in_b, generator);
    return drawn_b - draw_within(in_a, generator);
  };
  const Interval deviation = sigma_a && sigma_b ? normal_interval(std::hypot(*sigma_a, *sigma_b))
                                                : bootstrap_interval(resamples, seed, draw);
  std::optional<double> worth = in_a.worth;
  if (in_b.worth) worth = std::min(worth.value_or(*in_b.worth), *in_b.worth);
  return change_within(ratio, deviation, worth);
}

Change paired_change(std::span<const double> a, std::span<const double> b, StepFigure figure, int resamples,
                     std::uint64_t seed) {
  const bool rate = figure == StepFigure::kRate;
  const auto change = [rate](double time_a, double time_b) {
    return rate ? time_a / time_b : time_b / time_a;
  };
  const double ratio = rate ? change(mean(a), mean(b)) : change(median(a), median(b));
  if (a.size() < 2) return {ratio - 1, std::nullopt};
  std::vector<double> gaps;  // what a pair adds to the logarithm of the ratio
  for (std::size_t i = 0; i < a.size(); ++i) gaps.push_back(std::log(b[i] / a[i]));
  const double worth = rate ? independent_count(gaps) : worth_of_median(gaps, median(gaps));
  const std::size_t draws = draws_for(worth, a.size());
  std::vector<double> drawn_a(draws), drawn_b(draws);
  const Interval deviation = bootstrap_interval(resamples, seed, [&](Generator& generator) {
    for (std::size_t i = 0; i < draws; ++i) {
      const std::size_t drawn = draw_index(generator, a.size());
      drawn_a[i] = a[drawn];
      drawn_b[i] = b[drawn];
    }
    const double again = rate ? change(mean(drawn_a), mean(drawn_b))
                              : change(median_reordering(drawn_a), median_reordering(drawn_b));
    return widening(draws) * std::log(again / ratio);
  });
  return change_within(ratio, deviation, worth);
}

Direction direction(const Change& change, double threshold, double blind_threshold) {
  const double limit = change.interval ? threshold : blind_threshold;
  const Interval interval = change.interval.value_or(Interval{change.ratio, change.ratio});
  if (std::abs(change.ratio) > limit && change.too_few_values()) return Direction::kUnclear;
  if (change.ratio > limit && interval.low > 0) return Direction::kHigher;
  if (change.ratio < -limit && interval.high < 0) return Direction::kLower;
  const double reach = std::max(change.ratio - interval.low, interval.high - change.ratio);
  return reach > threshold ? Direction::kUnclear : Direction::kSame;
}

}  // namespace sxb::stats
