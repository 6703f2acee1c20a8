#include "stats/change.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

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

bool has_spread(const std::vector<Repeat>& repeats) {
  return repeats.size() > 1 ||
         std::any_of(repeats.begin(), repeats.end(), [](const Repeat& r) { return r.has_spread(); });
}

/// Median of a resample of sorted values. Counts how often each is drawn and walks to the middle, which needs
/// neither a copy nor a selection.
class MedianResampler {
 public:
  explicit MedianResampler(std::vector<double> values) : sorted_(std::move(values)), drawn_(sorted_.size()) {
    std::sort(sorted_.begin(), sorted_.end());
  }

  double draw(Generator& generator) {
    std::fill(drawn_.begin(), drawn_.end(), 0u);
    for (std::size_t i = 0; i < sorted_.size(); ++i) ++drawn_[draw_index(generator, sorted_.size())];
    const std::size_t lower = (sorted_.size() - 1) / 2;
    const std::size_t upper = sorted_.size() / 2;
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

/// One resample of a side, as the logarithm of its deviation from the centre: what the drawn repeats differ
/// by, widened for their number, and what each could have come out at.
class Resampler {
 public:
  explicit Resampler(const std::vector<Repeat>& repeats)
      : repeats_(repeats), widening_(widening(repeats.size())), within_(repeats.size()) {
    for (const Repeat& repeat : repeats) logs_.push_back(std::log(repeat.figure));
    between_ = logs_;
    middle_ = median_reordering(between_);
  }

  /// Deviation of the draws, where they are normal: of one repeat whose own are.
  std::optional<double> normal() const {
    if (repeats_.size() > 1 || repeats_.front().redraw) return std::nullopt;
    return repeats_.front().sigma.value_or(0);
  }
  double draw(Generator& generator) {
    if (repeats_.size() == 1) return draw_within(repeats_.front(), generator);
    for (std::size_t i = 0; i < repeats_.size(); ++i) {
      const std::size_t drawn = draw_index(generator, repeats_.size());
      between_[i] = logs_[drawn];
      within_[i] = draw_within(repeats_[drawn], generator);
    }
    return widening_ * (median_reordering(between_) - middle_) + median_reordering(within_);
  }

 private:
  static double draw_within(const Repeat& repeat, Generator& generator) {
    if (repeat.redraw) return repeat.redraw(generator);
    return repeat.sigma ? *repeat.sigma * draw_normal(generator) : 0;
  }

  const std::vector<Repeat>& repeats_;
  double widening_, middle_ = 0;
  std::vector<double> logs_, between_, within_;
};

Interval normal_interval(double sigma) { return {-1.960 * sigma, 1.960 * sigma}; }

template <typename Draw>
Interval bootstrap_interval(int resamples, std::uint64_t seed, const Draw& draw) {
  Generator generator(seed);
  std::vector<double> deviations(static_cast<std::size_t>(resamples));
  for (double& deviation : deviations) deviation = draw(generator);
  return {quantile(deviations, 0.025), quantile(deviations, 0.975)};
}

}  // namespace

Repeat Repeat::median_of(std::vector<double> values) {
  const double figure = median(values);
  if (values.size() < 2) return alone(figure);
  const double factor = widening(values.size());
  return {figure, std::nullopt,
          [figure, factor, resampler = MedianResampler(std::move(values))](Generator& generator) mutable {
            return factor * std::log(resampler.draw(generator) / figure);
          }};
}

Repeat Repeat::rate_of(std::vector<double> amounts, std::vector<double> times) {
  double amount = 0, time = 0;
  for (std::size_t i = 0; i < amounts.size(); ++i) {
    amount += amounts[i];
    time += times[i];
  }
  const double figure = amount / time;
  if (amounts.size() < 2) return alone(figure);
  const double factor = widening(amounts.size());
  return {figure, std::nullopt,
          [figure, factor, amounts = std::move(amounts), times = std::move(times)](Generator& generator) {
            double sum = 0, seconds = 0;
            for (std::size_t i = 0; i < amounts.size(); ++i) {
              const std::size_t drawn = draw_index(generator, amounts.size());
              sum += amounts[drawn];
              seconds += times[drawn];
            }
            return factor * std::log(sum / seconds / figure);
          }};
}

Repeat Repeat::summarized(double figure, double standard_error) {
  return {figure, standard_error / figure, {}};
}

double center(const std::vector<Repeat>& repeats) {
  std::vector<double> figures;
  for (const Repeat& repeat : repeats) figures.push_back(repeat.figure);
  return median_reordering(figures);
}

std::optional<Interval> center_interval(const std::vector<Repeat>& repeats, int resamples,
                                        std::uint64_t seed) {
  if (!has_spread(repeats)) return std::nullopt;
  Resampler side(repeats);
  const std::optional<double> sigma = side.normal();
  const Interval deviation =
      sigma ? normal_interval(*sigma)
            : bootstrap_interval(resamples, seed, [&](Generator& generator) { return side.draw(generator); });
  const double middle = center(repeats);
  return Interval{middle * std::exp(deviation.low), middle * std::exp(deviation.high)};
}

Change relative_change(const std::vector<Repeat>& a, const std::vector<Repeat>& b, int resamples,
                       std::uint64_t seed) {
  const double ratio = center(b) / center(a);
  if (!has_spread(a) && !has_spread(b)) return {ratio - 1, std::nullopt};
  Resampler side_a(a), side_b(b);
  const std::optional<double> sigma_a = side_a.normal();
  const std::optional<double> sigma_b = side_b.normal();
  const auto draw = [&](Generator& generator) {
    const double in_b = side_b.draw(generator);
    return in_b - side_a.draw(generator);
  };
  const Interval deviation = sigma_a && sigma_b ? normal_interval(std::hypot(*sigma_a, *sigma_b))
                                                : bootstrap_interval(resamples, seed, draw);
  return {ratio - 1, Interval{ratio * std::exp(deviation.low) - 1, ratio * std::exp(deviation.high) - 1}};
}

Direction direction(const Change& change, double threshold, double blind_threshold) {
  const double limit = change.interval ? threshold : blind_threshold;
  const Interval interval = change.interval.value_or(Interval{change.ratio, change.ratio});
  if (change.ratio > limit && interval.low > 0) return Direction::kHigher;
  if (change.ratio < -limit && interval.high < 0) return Direction::kLower;
  const double reach = std::max(change.ratio - interval.low, interval.high - change.ratio);
  return reach > threshold ? Direction::kUnclear : Direction::kSame;
}

}  // namespace sxb::stats
