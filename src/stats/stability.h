// When repeats, or the steps of a training, make a figure UNSTABLE, in reports, verdicts and comparisons. The
// iterations of a sweep have limits beside it (verdicts of configs/hardware/interconnects.json).
#pragma once

#include <algorithm>
#include <optional>

namespace sxb::stats {

/// A figure whose own spread exceeds this cannot show a difference of a few percent, which is what a
/// qualification asks for. The same 5 % as ClickHouse's performance tests use.
inline constexpr double kUnstable = 0.05;

/// What is known of the spread of one figure, each relative to it; absent = not known, which is not the
/// same as stable.
struct Spread {
  std::optional<double> repeats;  ///< (max - min) / median over the repeats; from two repeats on
  std::optional<double> within;   ///< 1.4826 MAD / median of the values of one repeat, the worst repeat

  double largest() const { return std::max(repeats.value_or(0), within.value_or(0)); }
};

inline bool unstable(const Spread& spread) { return spread.largest() > kUnstable; }

}  // namespace sxb::stats
