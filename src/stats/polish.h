// Which of many things that should be alike is slower: one in a list, or a row or a cell of a matrix of
// pairs.
#pragma once

#include <cstddef>
#include <limits>
#include <optional>
#include <span>
#include <vector>

namespace sxb::stats {

/// Indices of the low ones of values whose natural logarithms are given, by the rule of outliers.h from three
/// values on and with 2.5 of its sigmas: things that should be alike are slow one at a time, a cluster may
/// have four nodes, and what is marked is tested again. `noise`: the standard deviation with which one of the
/// logarithms repeats, where that is known; the MAD of few values is often small by chance.
std::vector<std::size_t> low_outliers(std::span<const double> logs, double noise = 0);
/// What is expected so many standard deviations beyond a limit is beyond it in 19 of 20 cases.
inline constexpr double kNearlyAlways = 1.645;
/// The share of the median below which one more value would be such an outlier in 19 of 20 cases; not above
/// zero: no value would.
double detectable_share(std::span<const double> logs, double noise = 0);

/// Values of unordered pairs of `size` things; absent where a pair was not measured.
class PairMatrix {
 public:
  explicit PairMatrix(std::size_t size) : size_(size), cells_(size * size, kAbsent) {}
  std::size_t size() const { return size_; }
  void set(std::size_t i, std::size_t j, double value) {
    cells_[i * size_ + j] = cells_[j * size_ + i] = value;
  }
  std::optional<double> get(std::size_t i, std::size_t j) const {
    const double value = cells_[i * size_ + j];
    return value == value ? std::optional(value) : std::nullopt;
  }

 private:
  static constexpr double kAbsent = std::numeric_limits<double>::quiet_NaN();
  std::size_t size_;
  std::vector<double> cells_;
};

/// value(i, j) = centre + row[i] + row[j] + residual(i, j).
struct Polish {
  double centre = 0;
  std::vector<std::optional<double>> row;  ///< absent where the thing has no measured pair
  PairMatrix residual{0};
};

/// Tukey's median polish (Exploratory Data Analysis, 1977, ch. 11) of a symmetric matrix, where rows and
/// columns have one effect. Of an even number of values the higher of the middle two is the median: a fault
/// only lowers a value, so any minority of low rows leaves the others at zero, in a matrix of three already.
Polish median_polish(const PairMatrix& logs);

}  // namespace sxb::stats
