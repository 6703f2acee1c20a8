// sxbench show: how far a run is, from its journal; also while it works.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "analysis/read/dataset.h"
#include "analysis/read/json_read.h"
#include "base/clock.h"
#include "base/shell.h"
#include "base/text.h"
#include "base/units.h"
#include "cli/request/options.h"
#include "cli/request/request.h"
#include "cli/ui/live_status.h"
#include "cli/ui/news.h"
#include "cli/ui/run_summary.h"
#include "cli/ui/terminal.h"
#include "cli/verbs/verbs.h"

namespace sxb::cli {
namespace {

struct TaskRow {
  std::string id, name, status, attempt, duration, why;
};

/// `live`: of a run that works.
TaskRow row_of(const analysis::TaskData& task, const std::optional<LiveStatus>& live, bool works) {
  TaskRow row = {printable_line(task.id),
                 printable_line(name_of(task.label, task.repeat)),
                 analysis::to_string(task.status()),
                 task.attempt == 0 ? "-" : std::to_string(task.attempt),
                 "-",
                 printable_line(task.reason())};
  if (task.end) {
    const auto seconds = analysis::number(task.end->record.data, "duration_s");
    if (seconds) row.duration = format_duration(saturated(*seconds * 1e9));
  } else if (live && live->task == task.id) {
    row.status = "running";
    row.duration = format_duration(live->elapsed_ns);
    row.why = printable_line(live->latest);
  } else if (works && task.attempt == 0) {
    row.status = "to do";
    row.why.clear();
  }
  return row;
}

void print_tasks(const analysis::Dataset& run, const std::optional<LiveStatus>& live, bool works) {
  std::vector<TaskRow> rows = {
      {"task", "what", "status", "attempt", "duration",
       works ? "how far it is, or why there is no result" : "why there is no result"}};
  for (const analysis::TaskData& task : run.tasks) rows.push_back(row_of(task, live, works));
  std::size_t width = 4;
  for (const TaskRow& row : rows) width = std::max(width, row.name.size());
  print_out("\n");
  for (const TaskRow& row : rows) {
    print_out("{:<12}  {:<{}}  {:<11}  {:>7}  {:>9}  {}\n", row.id, row.name, width, row.status, row.attempt,
              row.duration, row.why);
  }
}

ExitCode show(const std::string& path) {
  note_newest(path);
  const auto load = [&]() -> Result<analysis::Dataset> {
    SXB_ASSIGN_OR_RETURN(const auto dir, analysis::find_run(path));
    return analysis::load_dataset(dir);
  };
  ExitCode code = ExitCode::kOk;
  const std::optional<analysis::Dataset> run = value_or_explain(load(), code);
  if (!run) return code;
  const RunSummary summary = summarize(*run);
  const Json& facts = run->run.record.data;
  const auto print = [](const char* what, const std::string& value) {
    print_out("{:<9} {}\n", what, printable_line(value));
  };
  print("run", run->folder.string());
  print("command", analysis::text(facts, "command"));
  print("started", format_utc(run->start_wall_ns));
  print("state", summary.state);
  print("tasks", summary.text());
  const bool works = summary.state == "running";
  const auto live = works ? live_status(*run, wall_ns()) : std::nullopt;
  if (live) print("progress", live->run);
  if (summary.can_resume()) {
    print("resume", shell_line({"sxbench", "run", "--resume", run->folder.string()}));
  }
  print_tasks(*run, live, works);
  return ExitCode::kOk;
}

}  // namespace

void add_show(CLI::App& app, ExitCode& result) {
  CLI::App* verb =
      app.add_subcommand("show", "Show the tasks of a run and how far it is, also while it works");
  verb->footer(
      "Examples:\n"
      "  sxbench show                                         the latest run under results/\n"
      "  sxbench show results/20261121T071340Z-local-1a2b3c");
  auto path = std::make_shared<std::string>("results");
  path_option(verb->add_option("path", *path, "a run folder, or a folder of runs (then its latest)"));
  verb->callback([path, &result] { result = show(*path); });
}

}  // namespace sxb::cli
