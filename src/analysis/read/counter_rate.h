// Rates of a counter, from its readings in order of time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

namespace sxb::analysis {

/// A counter that only grows: its rate between the first and the last reading inside the window.
class CounterRate {
 public:
  void add(std::int64_t mono_ns, std::optional<double> value) {
    if (!value) return;
    if (!first_) first_ = {mono_ns, *value};
    last_ = {mono_ns, *value};
    recent_.push_back(last_);
    while (recent_.size() > 1 && mono_ns - recent_[1].first >= kSpanNs) recent_.pop_front();
    const auto& [since, before] = recent_.front();
    if (mono_ns - since >= kSpanNs && *value >= before) {
      const double rate = (*value - before) / (static_cast<double>(mono_ns - since) * 1e-9);
      highest_ = std::max(highest_.value_or(rate), rate);
    }
  }
  /// Units per second; missing with less than two readings or when the counter was reset.
  std::optional<double> per_second() const {
    if (!first_ || last_.first <= first_->first || last_.second < first_->second) return std::nullopt;
    return (last_.second - first_->second) / (static_cast<double>(last_.first - first_->first) * 1e-9);
  }
  /// The highest mean over half a second, or a little more: to the nearest readings.
  std::optional<double> highest_per_second() const { return highest_; }

 private:
  static constexpr std::int64_t kSpanNs = 500'000'000;
  std::optional<std::pair<std::int64_t, double>> first_;
  std::pair<std::int64_t, double> last_;
  std::deque<std::pair<std::int64_t, double>> recent_;
  std::optional<double> highest_;
};

}  // namespace sxb::analysis
