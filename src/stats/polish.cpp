#include "stats/polish.h"

#include <algorithm>
#include <cmath>

#include "stats/outliers.h"
#include "stats/stats.h"

namespace sxb::stats {
namespace {

constexpr int kSweeps = 10;
constexpr double kSettled = 1e-9;

/// The higher of the middle two where there are two.
double high_median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

std::vector<double> row_of(const PairMatrix& matrix, std::size_t i) {
  std::vector<double> values;
  for (std::size_t j = 0; j < matrix.size(); ++j) {
    if (j == i) continue;
    if (const auto value = matrix.get(i, j)) values.push_back(*value);
  }
  return values;
}

/// What the effects leave of the cells.
PairMatrix residuals(const PairMatrix& logs, const Polish& fit) {
  PairMatrix left(logs.size());
  for (std::size_t i = 0; i < logs.size(); ++i) {
    for (std::size_t j = i + 1; j < logs.size(); ++j) {
      if (const auto value = logs.get(i, j)) left.set(i, j, *value - fit.centre - *fit.row[i] - *fit.row[j]);
    }
  }
  return left;
}

/// Moves the common part of the rows' effects to the centre; every cell has two of them.
void center(Polish& fit) {
  std::vector<double> effects;
  for (const auto& effect : fit.row) {
    if (effect) effects.push_back(*effect);
  }
  const double common = high_median(effects);
  fit.centre += 2 * common;
  for (auto& effect : fit.row) {
    if (effect) *effect -= common;
  }
}

/// Takes the median of each row's residuals into its effect; the largest change.
double sweep(const PairMatrix& logs, Polish& fit) {
  double change = 0;
  for (std::size_t i = 0; i < logs.size(); ++i) {
    if (!fit.row[i]) continue;
    std::vector<double> left;
    for (std::size_t j = 0; j < logs.size(); ++j) {
      if (j == i) continue;
      if (const auto value = logs.get(i, j)) left.push_back(*value - fit.centre - *fit.row[i] - *fit.row[j]);
    }
    const double shift = high_median(std::move(left));
    *fit.row[i] += shift;
    change = std::max(change, std::abs(shift));
  }
  return change;
}

/// Lower than Iglewicz and Hoaglin's: what it marks is a suspicion, and the tests that follow tell it from
/// noise.
constexpr double kSigmas = 2.5;

OutlierRule rule_with(double noise) {
  OutlierRule rule{.min_count = 3, .sigmas = kSigmas};
  rule.spread_floor = std::max(rule.spread_floor, noise);
  return rule;
}

/// Of the median.
std::vector<double> shares_of(std::span<const double> logs) {
  const double center = median(logs);
  std::vector<double> shares;
  for (const double log : logs) shares.push_back(std::exp(log - center));
  return shares;
}

}  // namespace

std::vector<std::size_t> low_outliers(std::span<const double> logs, double noise) {
  std::vector<std::size_t> low;
  if (logs.empty()) return low;
  for (const Outlier& outlier : mark_outliers(shares_of(logs), rule_with(noise))) {
    if (outlier.deviation < 0) low.push_back(outlier.index);
  }
  return low;
}

double detectable_share(std::span<const double> logs, double noise) {
  const OutlierRule rule = rule_with(noise);
  const double spread = std::max(kMadToSigma * mad(shares_of(logs)), rule.spread_floor);
  return 1 - std::max(rule.effect, (rule.sigmas + kNearlyAlways) * spread);
}

Polish median_polish(const PairMatrix& logs) {
  Polish fit;
  fit.row.resize(logs.size());
  // The first sweep around a centre of its own: the rows' medians, less what is common to them.
  std::vector<double> medians;
  for (std::size_t i = 0; i < logs.size(); ++i) {
    const std::vector<double> values = row_of(logs, i);
    if (values.empty()) continue;
    fit.row[i] = high_median(values);
    medians.push_back(*fit.row[i]);
  }
  if (medians.empty()) {
    fit.residual = PairMatrix(logs.size());
    return fit;
  }
  fit.centre = high_median(std::move(medians));
  for (auto& effect : fit.row) {
    if (effect) *effect -= fit.centre;
  }
  for (int i = 0; i < kSweeps; ++i) {
    const double change = sweep(logs, fit);
    center(fit);
    if (change < kSettled) break;
  }
  fit.residual = residuals(logs, fit);
  return fit;
}

}  // namespace sxb::stats
