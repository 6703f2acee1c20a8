#include "analysis/read/measured_steps.h"

#include <algorithm>

namespace sxb::analysis {

MeasuredSteps measured_steps(const TaskData& task) {
  MeasuredSteps steps;
  for (const auto& entry : task.of<record::Step>()) {
    const record::Step& step = entry.data;
    const double time_ms = step.step_time_ms.value_or(0);
    if (!step.measured.value_or(false) || time_ms <= 0) continue;
    steps.number.push_back(static_cast<int>(step.step.value_or(0)));
    steps.tokens.push_back(static_cast<double>(step.tokens.value_or(0)));
    steps.time_ms.push_back(time_ms);
  }
  return steps;
}

std::optional<stats::Repeat> tokens_per_s_and_rank(const TaskData& task, Rows rows) {
  MeasuredSteps steps = measured_steps(task);
  const bool any =
      std::any_of(steps.tokens.begin(), steps.tokens.end(), [](double count) { return count > 0; });
  if (!any || task.world() <= 0) return std::nullopt;
  // Per second and rank: the time of a step counts once for each rank.
  for (double& time : steps.time_ms) time *= 1e-3 * task.world();
  if (rows == Rows::kTheSame) return stats::Repeat::rate_on_same_work(steps.tokens, steps.time_ms);
  return stats::Repeat::rate_of(std::move(steps.tokens), std::move(steps.time_ms));
}

std::optional<stats::Repeat> step_time_ms(const TaskData& task) {
  MeasuredSteps steps = measured_steps(task);
  if (steps.time_ms.empty()) return std::nullopt;
  return stats::Repeat::median_of(std::move(steps.time_ms));
}

}  // namespace sxb::analysis
