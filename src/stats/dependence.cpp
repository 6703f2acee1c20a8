#include "stats/dependence.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "stats/stats.h"

namespace sxb::stats {
namespace {

/// Beyond this a series of any length that is measured here is worth nothing.
constexpr double kMostAlike = 0.97;
/// In standard errors: an autocorrelation above it is one (5 %, one side), and what is added to be on the
/// safe side.
constexpr double kSignificant = 1.645, kMargin = 0.75;

class Autocorrelation {
 public:
  explicit Autocorrelation(std::span<const double> series)
      : series_(series), mean_(mean(series)), variance_(covariance(0)) {}

  bool constant() const { return !(variance_ > 0); }
  double at(std::size_t lag) const { return lag < series_.size() ? covariance(lag) / variance_ : 0; }

 private:
  double covariance(std::size_t lag) const {
    double sum = 0;
    for (std::size_t i = lag; i < series_.size(); ++i)
      sum += (series_[i - lag] - mean_) * (series_[i] - mean_);
    return sum / static_cast<double>(series_.size());
  }
  std::span<const double> series_;
  double mean_, variance_;
};

double first_order(const Autocorrelation& correlation, double n) {
  const auto unbiased = [n](double r) { return r + (1 + 3 * r) / n; };
  const double first = correlation.at(1);
  const double error = std::sqrt(std::max(0.0, 1 - first * first) / n);
  const double r1 = std::min(unbiased(first) + kMargin * error, kMostAlike);
  if (r1 <= 0) return 1;
  double decay = r1;
  if (first > kSignificant / std::sqrt(n))
    decay = std::clamp(unbiased(correlation.at(2)) / unbiased(first), r1, kMostAlike);
  return 1 + 2 * r1 / (1 - decay);
}

double initial_monotone_sequence(const Autocorrelation& correlation, std::size_t n) {
  double tau = -1;
  double last = std::numeric_limits<double>::infinity();
  for (std::size_t lag = 0; lag + 1 < n; lag += 2) {
    const double pair = correlation.at(lag) + correlation.at(lag + 1);
    if (pair <= 0) break;
    last = std::min(last, pair);
    tau += 2 * last;
  }
  return tau;
}

}  // namespace

double independent_count(std::span<const double> series) {
  const double n = static_cast<double>(series.size());
  const Autocorrelation correlation(series);
  if (correlation.constant()) return n;
  const double tau =
      std::max(first_order(correlation, n), initial_monotone_sequence(correlation, series.size()));
  return n / std::max(1.0, tau);
}

}  // namespace sxb::stats
