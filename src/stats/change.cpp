#include "stats/change.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace sxb::stats {
namespace {

std::size_t draw_index(Generator& generator, std::size_t count) { return generator() % count; }

/// Mean 0, deviation 1 (Box and Muller); the standard's own differs between libraries.
double draw_normal(Generator& generator) {
  const auto uniform = [&] { return (static_cast<double>(generator() >> 11) + 0.5) * 0x1.0p-53; };
  const double radius = std::sqrt(-2 * std::log(uniform()));
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

/// Student's 97.5 % quantile: a table where the expansion in 1/df (Abramowitz & Stegun 26.7.5) is too far
/// off.
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
         std::any_of(repeats.begin(), repeats.end(), [](const Repeat& r) { return r.redraw != nullptr; });
}

/// One resample of a side, as the logarithm of its deviation from the centre: what the drawn repeats differ
/// by, widened for their number, and what each could have come out at.
class Resampler {
 public:
  explicit Resampler(const std::vector<Repeat>& repeats)
      : repeats_(repeats),
        log_center_(std::log(center(repeats))),
        figures_(repeats.size()),
        within_(repeats.size()) {}

  double log_center() const { return log_center_; }
  double draw(Generator& generator) {
    for (std::size_t i = 0; i < repeats_.size(); ++i) {
      const Repeat& repeat = repeats_[draw_index(generator, repeats_.size())];
      figures_[i] = repeat.figure;
      within_[i] = repeat.redraw ? std::log(repeat.redraw(generator) / repeat.figure) : 0;
    }
    return widening(repeats_.size()) * (std::log(median(figures_)) - log_center_) + median(within_);
  }

 private:
  const std::vector<Repeat>& repeats_;
  double log_center_;
  std::vector<double> figures_, within_;
};

}  // namespace

Repeat Repeat::median_of(std::vector<double> values) {
  const double figure = median(values);
  if (values.size() < 2) return alone(figure);
  const double factor = widening(values.size());
  return {figure, [figure, factor, values = std::move(values),
                   resample = std::vector<double>()](Generator& generator) mutable {
            resample.resize(values.size());
            for (double& value : resample) value = values[draw_index(generator, values.size())];
            return figure * std::pow(median(resample) / figure, factor);
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
  return {figure,
          [figure, factor, amounts = std::move(amounts), times = std::move(times)](Generator& generator) {
            double sum = 0, seconds = 0;
            for (std::size_t i = 0; i < amounts.size(); ++i) {
              const std::size_t drawn = draw_index(generator, amounts.size());
              sum += amounts[drawn];
              seconds += times[drawn];
            }
            return figure * std::pow(sum / seconds / figure, factor);
          }};
}

Repeat Repeat::summarized(double figure, double standard_error) {
  // Drawn on the logarithmic scale, so that no draw is negative.
  const double relative = standard_error / figure;
  return {figure, [figure, relative](Generator& generator) {
            return figure * std::exp(relative * draw_normal(generator));
          }};
}

double center(const std::vector<Repeat>& repeats) {
  std::vector<double> figures;
  for (const Repeat& repeat : repeats) figures.push_back(repeat.figure);
  return median(figures);
}

std::optional<Interval> center_interval(const std::vector<Repeat>& repeats, int resamples,
                                        std::uint64_t seed) {
  if (!has_spread(repeats)) return std::nullopt;
  Resampler side(repeats);
  Generator generator(seed);
  std::vector<double> centers;
  for (int i = 0; i < resamples; ++i) centers.push_back(std::exp(side.log_center() + side.draw(generator)));
  return Interval{quantile(centers, 0.025), quantile(centers, 0.975)};
}

Change relative_change(const std::vector<Repeat>& a, const std::vector<Repeat>& b, int resamples,
                       std::uint64_t seed) {
  Resampler side_a(a), side_b(b);
  const double log_ratio = side_b.log_center() - side_a.log_center();
  Change change{std::exp(log_ratio) - 1, std::nullopt};
  if (!has_spread(a) && !has_spread(b)) return change;
  Generator generator(seed);
  std::vector<double> ratios;
  for (int i = 0; i < resamples; ++i) {
    ratios.push_back(std::exp(log_ratio + side_b.draw(generator) - side_a.draw(generator)) - 1);
  }
  change.interval = {quantile(ratios, 0.025), quantile(ratios, 0.975)};
  return change;
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
