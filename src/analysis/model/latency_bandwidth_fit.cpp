#include "analysis/model/latency_bandwidth_fit.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "stats/stats.h"

namespace sxb::analysis {
namespace {

constexpr std::size_t kTerms = 3;  // 1, sqrt(S), S
using Terms = std::array<double, kTerms>;

Terms terms_of(double size) { return {1, std::sqrt(size) / kRampUnit, size}; }

double evaluate(const Terms& coefficients, double size) {
  const Terms terms = terms_of(size);
  double time = 0;
  for (std::size_t i = 0; i < kTerms; ++i) time += coefficients[i] * terms[i];
  return time;
}

/// `weight` multiplies squared errors.
struct Problem {
  std::span<const SweepPoint> points;
  std::vector<double> weight;
};

/// Gauss with pivoting on at most 3 x 3, columns scaled to a unit diagonal. False if singular.
bool solve(std::array<Terms, kTerms> matrix, Terms right, const std::vector<std::size_t>& used, Terms& out) {
  Terms scale{};
  for (const std::size_t i : used) {
    if (matrix[i][i] <= 0) return false;
    scale[i] = 1 / std::sqrt(matrix[i][i]);
  }
  for (const std::size_t i : used) {
    right[i] *= scale[i];
    for (const std::size_t j : used) matrix[i][j] *= scale[i] * scale[j];
  }
  std::vector<std::size_t> rows = used;
  for (std::size_t k = 0; k < used.size(); ++k) {
    const std::size_t column = used[k];
    const auto pivot = std::max_element(rows.begin() + static_cast<std::ptrdiff_t>(k), rows.end(),
                                        [&](std::size_t a, std::size_t b) {
                                          return std::abs(matrix[a][column]) < std::abs(matrix[b][column]);
                                        });
    std::iter_swap(rows.begin() + static_cast<std::ptrdiff_t>(k), pivot);
    const std::size_t row = rows[k];
    if (std::abs(matrix[row][column]) < 1e-12) return false;
    for (std::size_t below = k + 1; below < rows.size(); ++below) {
      const double factor = matrix[rows[below]][column] / matrix[row][column];
      for (const std::size_t j : used) matrix[rows[below]][j] -= factor * matrix[row][j];
      right[rows[below]] -= factor * right[row];
    }
  }
  out = {};
  for (std::size_t k = used.size(); k-- > 0;) {
    double sum = right[rows[k]];
    for (std::size_t after = k + 1; after < used.size(); ++after)
      sum -= matrix[rows[k]][used[after]] * out[used[after]];
    out[used[k]] = sum / matrix[rows[k]][used[k]];
  }
  for (const std::size_t i : used) out[i] *= scale[i];
  return true;
}

/// Over the terms that `used` names; one that comes out negative is left out and the rest solved again, the
/// most negative first.
std::optional<Terms> least_squares(const Problem& problem, std::vector<std::size_t> used) {
  std::array<Terms, kTerms> matrix{};
  Terms right{};
  for (std::size_t p = 0; p < problem.points.size(); ++p) {
    const Terms terms = terms_of(problem.points[p].size_bytes);
    for (std::size_t i = 0; i < kTerms; ++i) {
      right[i] += problem.weight[p] * terms[i] * problem.points[p].time_us;
      for (std::size_t j = 0; j < kTerms; ++j) matrix[i][j] += problem.weight[p] * terms[i] * terms[j];
    }
  }
  Terms found{};
  while (!used.empty()) {
    if (!solve(matrix, right, used, found)) return std::nullopt;
    const auto worst = std::min_element(used.begin(), used.end(),
                                        [&](std::size_t a, std::size_t b) { return found[a] < found[b]; });
    if (found[*worst] >= 0) return found;
    used.erase(worst);
  }
  return std::nullopt;
}

bool usable(std::span<const SweepPoint> points) {
  constexpr std::size_t kFewest = 5;
  constexpr double kSpan = 64;
  if (points.size() < kFewest) return false;
  const auto positive = [](const SweepPoint& point) { return point.size_bytes > 0 && point.time_us > 0; };
  if (!std::all_of(points.begin(), points.end(), positive)) return false;
  const auto [low, high] = std::minmax_element(
      points.begin(), points.end(),
      [](const SweepPoint& a, const SweepPoint& b) { return a.size_bytes < b.size_bytes; });
  return high->size_bytes >= kSpan * low->size_bytes;
}

/// log(measured / fitted) of every point, and Tukey's weights by their spread.
struct Residuals {
  std::vector<double> log_ratio, tukey;
  double scale = 0;
};

Residuals residuals_of(std::span<const SweepPoint> points, const Terms& coefficients) {
  constexpr double kTukey = 4.685;  // 95 % efficiency where the errors are normal
  constexpr double kFloor = 0.005;  // timers and clocks: no sweep repeats better than that
  Residuals out;
  std::vector<double> sizes;
  for (const SweepPoint& point : points) {
    out.log_ratio.push_back(std::log(point.time_us / evaluate(coefficients, point.size_bytes)));
    sizes.push_back(std::abs(out.log_ratio.back()));
  }
  out.scale = stats::kMadToSigma * stats::median(sizes);
  for (const double size : sizes) {
    const double u = size / (kTukey * std::max(out.scale, kFloor));
    out.tukey.push_back(u < 1 ? (1 - u * u) * (1 - u * u) : 0);
  }
  return out;
}

}  // namespace

double LatencyBandwidth::time_us(double size_bytes) const {
  return alpha_us + ramp_us * std::sqrt(size_bytes) / kRampUnit + size_bytes / (algbw_gBps * 1e3);
}

std::optional<LatencyBandwidth> fit_sweep(std::span<const SweepPoint> points) {
  if (!usable(points)) return std::nullopt;
  constexpr int kRounds = 60;
  // Start: alpha and B of the fastest sizes. Errors are relative to the model, not to the measured time: a
  // size that took ten times as long would else count a hundredth.
  Terms coefficients{};
  coefficients[0] = points.front().time_us;
  double best = 0;
  for (const SweepPoint& point : points) {
    coefficients[0] = std::min(coefficients[0], point.time_us);
    best = std::max(best, point.size_bytes / point.time_us);
  }
  coefficients[2] = 1 / best;
  Residuals residuals = residuals_of(points, coefficients);
  for (int round = 0; round < kRounds; ++round) {
    Problem problem{points, {}};
    for (std::size_t i = 0; i < points.size(); ++i) {
      const double model = evaluate(coefficients, points[i].size_bytes);
      problem.weight.push_back(residuals.tukey[i] / (model * model));
    }
    const auto found = least_squares(problem, {0, 1, 2});
    if (!found || (*found)[2] <= 0) return std::nullopt;
    coefficients = *found;
    residuals = residuals_of(points, coefficients);
  }
  LatencyBandwidth fit{coefficients[0], 1e-3 / coefficients[2], coefficients[1], residuals.scale, {}};
  for (const double weight : residuals.tukey) fit.outlier.push_back(weight == 0);
  return fit;
}

}  // namespace sxb::analysis
