#include "cli/ui/run_status.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/units.h"
#include "record/kinds/training.h"
#include "record/typed.h"

namespace sxb::cli {
namespace {

std::string kind_of(const plan::Task& task) { return plan::to_string(task.phase) + " " + task.model.name; }

}  // namespace

void RunStatus::run_started(const launch::RunStart& start) {
  planned_ = start.planned;
  todo_ = start.todo;
  done_ = planned_ - static_cast<int>(todo_.size());
}

void RunStatus::task_started(const plan::Task& task, std::int64_t now_ns) {
  running_ = true;
  current_ = task;
  began_ns_ = now_ns;
  first_step_ = last_step_ = 0;
}

void RunStatus::record(const plan::Task& task, const record::Record& record, std::int64_t now_ns) {
  if (record.kind != record::kind::kStep || task.id != current_.id) return;
  last_step_ = record::read<record::Step>(record).step.value_or(0);
  last_step_ns_ = now_ns;
  if (first_step_ > 0) return;
  first_step_ = last_step_;
  first_step_ns_ = now_ns;
}

void RunStatus::task_ended(const plan::Task& task, const launch::TaskOutcome& outcome) {
  running_ = false;
  std::erase_if(todo_, [&](const plan::Task& other) { return other.id == task.id; });
  if (outcome.code == ExitCode::kOk) {
    ++done_;
    durations_ns_[kind_of(task)].push_back(static_cast<std::int64_t>(outcome.duration_s * 1e9));
  } else {
    ++failed_;
  }
}

std::optional<std::int64_t> RunStatus::expected_ns(const plan::Task& task) const {
  const auto it = durations_ns_.find(kind_of(task));
  if (it == durations_ns_.end()) {
    if (task.phase != plan::Phase::kBurn) return std::nullopt;
    return std::int64_t{task.burn.duration_s} * 1'000'000'000;  // it lasts at least as long as it was told
  }
  std::vector<std::int64_t> sorted = it->second;
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  return *middle;
}

std::optional<std::int64_t> RunStatus::left_of_current_ns(std::int64_t now_ns) const {
  if (last_step_ > first_step_) {
    // As doubles, and three years at most: a node may send any number as that of a step.
    constexpr double kMostNs = 1e17;
    const double last = static_cast<double>(last_step_);
    const double per_step =
        static_cast<double>(last_step_ns_ - first_step_ns_) / (last - static_cast<double>(first_step_));
    const double left = std::max(0.0, static_cast<double>(current_.model.training.steps) - last);
    return saturated(std::clamp(left * per_step - static_cast<double>(now_ns - last_step_ns_), 0.0, kMostNs));
  }
  const auto expected = expected_ns(current_);
  if (!expected) return std::nullopt;
  return std::max<std::int64_t>(0, *expected - (now_ns - began_ns_));
}

std::optional<RunStatus::Eta> RunStatus::eta(std::int64_t now_ns) const {
  Eta eta;
  bool any = todo_.empty();
  for (const plan::Task& task : todo_) {
    const bool current = running_ && task.id == current_.id;
    const auto left = current ? left_of_current_ns(now_ns) : expected_ns(task);
    if (left) eta.ns += *left;
    any = any || left.has_value();
    eta.at_least = eta.at_least || !left;
  }
  if (!any) return std::nullopt;
  return eta;
}

std::string RunStatus::text(std::int64_t now_ns) const {
  const std::optional<Eta> left = eta(now_ns);
  return fmt::format("{} of {} done, {} running, {} failed, ETA {}{}", done_, planned_, running(), failed_,
                     left && left->at_least ? "> " : "", left ? format_duration(left->ns) : "unknown");
}

}  // namespace sxb::cli
