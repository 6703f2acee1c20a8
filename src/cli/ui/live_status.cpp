#include "cli/ui/live_status.h"

#include <algorithm>

#include "cli/ui/news.h"
#include "cli/ui/run_status.h"

namespace sxb::cli {
namespace {

/// As planned. Of a plan that is another version's only what its journal says of it.
plan::Task planned_task(const analysis::TaskData& data) {
  if (const Result<plan::Task> task = plan::parse_task(data.plan, "plan"); task.ok()) return *task;
  plan::Task task;
  task.id = data.id;
  task.nodes = data.nodes;
  return task;
}

launch::TaskOutcome outcome_of(const analysis::TaskData& data) {
  launch::TaskOutcome outcome;
  outcome.duration_s = data.last<record::TaskEnd>().duration_s.value_or(0);
  outcome.code = data.status() == analysis::TaskStatus::kOk ? ExitCode::kOk : ExitCode::kTaskFailed;
  return outcome;
}

/// Of the last record that tells something.
std::string latest_news(const plan::Task& task, const analysis::TaskData& data) {
  std::string latest = "starting";
  std::size_t line = 0;
  for (const auto& [kind, entries] : data.kinds) {
    if (entries.back().line < line) continue;
    const std::optional<std::string> news = news_of(task, entries.back().record);
    if (!news) continue;
    latest = *news;
    line = entries.back().line;
  }
  return latest;
}

}  // namespace

std::optional<LiveStatus> live_status(const analysis::Dataset& run, std::int64_t now_wall_ns) {
  RunStatus status;
  launch::RunStart start = {run.folder, static_cast<int>(run.tasks.size()), {}, false};
  for (const analysis::TaskData& data : run.tasks) start.todo.push_back(planned_task(data));
  status.run_started(start);
  std::optional<LiveStatus> live;
  for (std::size_t i = 0; i < run.tasks.size(); ++i) {
    const analysis::TaskData& data = run.tasks[i];
    const plan::Task& task = start.todo[i];
    const auto& starts = data.of<record::TaskStart>();
    if (starts.empty()) continue;
    status.task_started(task, starts.back().wall_ns);
    if (data.end) {
      status.task_ended(task, outcome_of(data));
      continue;
    }
    for (const analysis::Entry& step : data.of(record::kind::kStep)) {
      status.record(task, step.record, step.record.wall_ns);
    }
    live = {data.id, std::max<std::int64_t>(0, now_wall_ns - starts.back().wall_ns), latest_news(task, data),
            ""};
  }
  if (live) live->run = status.text(now_wall_ns);
  return live;
}

}  // namespace sxb::cli
