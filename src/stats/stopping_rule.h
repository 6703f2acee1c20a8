// When to stop repeating a measurement: once the relative noise has settled, or at a bound of time or
// count (the idea of nvbench's `stdrel` criterion, with the robust noise that this product reports).
//
// Pure: no clock of its own. Ranks that add the same values (the maximum over ranks, as a collective's
// time is) stop after the same iteration without a word between them.
#pragma once

#include <cstddef>
#include <deque>
#include <limits>
#include <vector>

namespace sxb::stats {

struct StoppingBounds {
  std::size_t min_count = 10;  ///< never stops before; at least 2 values show a noise at all
  std::size_t max_count = 1000;
  /// Bounds of the sum of the values, in their unit (a rule fed with microseconds bounds microseconds).
  double min_time = 0;
  double max_time = std::numeric_limits<double>::infinity();
  double quiet_noise = 0.005;      ///< relative noise that is low enough to stop at once
  std::size_t settle_window = 64;  ///< last noise values looked at for having settled
  double settle_spread = 0.05;     ///< relative standard deviation of those that counts as settled
};

enum class StopReason {
  kNone,     ///< not done
  kQuiet,    ///< the noise is at most quiet_noise
  kSettled,  ///< the noise no longer changes: more values would not lower it
  kTime,     ///< max_time reached before either
  kCount,    ///< max_count reached before either
};
const char* to_string(StopReason reason);  ///< "", quiet, settled, time, count

class StoppingRule {
 public:
  explicit StoppingRule(const StoppingBounds& bounds = {}) : bounds_(bounds) {}

  /// A finite, positive duration. Costs O(count so far); at the default bound a few microseconds.
  void add(double value);
  bool done() const { return reason_ != StopReason::kNone; }
  StopReason why() const { return reason_; }
  std::size_t count() const { return sorted_.size(); }
  /// 1.4826 MAD / median of the values so far; 0 before the second one.
  double noise() const { return noise_; }

 private:
  StopReason judge() const;
  bool settled() const;

  StoppingBounds bounds_;
  std::vector<double> sorted_;
  std::deque<double> noises_;  ///< the last settle_window, from min_count values on
  double time_ = 0, noise_ = 0;
  StopReason reason_ = StopReason::kNone;
};

}  // namespace sxb::stats
