#include "stats/stopping_rule.h"

#include <algorithm>
#include <cmath>

#include "stats/stats.h"

namespace sxb::stats {
namespace {

double median_of_sorted(const std::vector<double>& sorted) {
  const std::size_t n = sorted.size();
  return n % 2 == 1 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

/// The deviations grow to both sides of the centre of sorted values, so their median is met by walking
/// outwards: linear where stats::mad() selects in a copy.
double mad_of_sorted(const std::vector<double>& sorted, double center) {
  const std::size_t n = sorted.size();
  std::size_t above = n / 2;
  std::size_t below = above;  // one past the next value to the left
  double last = 0, before = 0;
  for (std::size_t taken = 0; taken <= n / 2; ++taken) {
    before = last;
    const bool left = above == n || (below > 0 && center - sorted[below - 1] < sorted[above] - center);
    last = left ? center - sorted[--below] : sorted[above++] - center;
  }
  return n % 2 == 1 ? last : (before + last) / 2;
}

}  // namespace

const char* to_string(StopReason reason) {
  switch (reason) {
    case StopReason::kNone:
      return "";
    case StopReason::kQuiet:
      return "quiet";
    case StopReason::kSettled:
      return "settled";
    case StopReason::kTime:
      return "time";
    case StopReason::kCount:
      return "count";
  }
  return "";
}

void StoppingRule::add(double value) {
  sorted_.insert(std::upper_bound(sorted_.begin(), sorted_.end(), value), value);
  time_ += value;
  const double center = median_of_sorted(sorted_);
  const double mad = mad_of_sorted(sorted_, center);
  noise_ = mad == 0 ? 0 : kMadToSigma * mad / center;
  if (sorted_.size() >= bounds_.min_count) noises_.push_back(noise_);
  if (noises_.size() > bounds_.settle_window) noises_.pop_front();
  if (!done()) reason_ = judge();
}

StopReason StoppingRule::judge() const {
  const std::size_t count = sorted_.size();
  if (count >= std::max<std::size_t>(bounds_.min_count, 2) && time_ >= bounds_.min_time) {
    if (noise_ <= bounds_.quiet_noise) return StopReason::kQuiet;
    if (settled()) return StopReason::kSettled;
  }
  if (count >= bounds_.max_count) return StopReason::kCount;
  // The bounds of time give way to min_count: fewer values would not show the noise at all.
  if (count >= bounds_.min_count && time_ >= bounds_.max_time) return StopReason::kTime;
  return StopReason::kNone;
}

bool StoppingRule::settled() const {
  if (noises_.size() < bounds_.settle_window) return false;
  double mean = 0, squares = 0;
  for (const double noise : noises_) mean += noise;
  mean /= static_cast<double>(noises_.size());
  for (const double noise : noises_) squares += (noise - mean) * (noise - mean);
  return std::sqrt(squares / static_cast<double>(noises_.size())) <= bounds_.settle_spread * mean;
}

}  // namespace sxb::stats
