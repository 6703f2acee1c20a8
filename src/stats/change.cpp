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

/// One resample of a side, as the logarithm of its deviation from the centre.
double draw_deviation(const std::vector<Repeat>& repeats, double log_center, double factor,
                      std::vector<double>& figures, Generator& generator) {
  for (double& figure : figures) {
    const Repeat& repeat = repeats[draw_index(generator, repeats.size())];
    figure = repeat.redraw ? repeat.redraw(generator) : repeat.figure;
  }
  return factor * (std::log(median(figures)) - log_center);
}

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
  const double middle = center(repeats);
  Generator generator(seed);
  std::vector<double> figures(repeats.size()), centers;
  for (int i = 0; i < resamples; ++i) {
    centers.push_back(middle * std::exp(draw_deviation(repeats, std::log(middle), widening(repeats.size()),
                                                       figures, generator)));
  }
  return Interval{quantile(centers, 0.025), quantile(centers, 0.975)};
}

Change relative_change(const std::vector<Repeat>& a, const std::vector<Repeat>& b, int resamples,
                       std::uint64_t seed) {
  const double log_a = std::log(center(a));
  const double log_b = std::log(center(b));
  Change change{std::exp(log_b - log_a) - 1, std::nullopt};
  if (!has_spread(a) && !has_spread(b)) return change;
  Generator generator(seed);
  std::vector<double> figures_a(a.size()), figures_b(b.size()), ratios;
  for (int i = 0; i < resamples; ++i) {
    const double drawn_a = draw_deviation(a, log_a, widening(a.size()), figures_a, generator);
    const double drawn_b = draw_deviation(b, log_b, widening(b.size()), figures_b, generator);
    ratios.push_back(std::exp(log_b + drawn_b - log_a - drawn_a) - 1);
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
