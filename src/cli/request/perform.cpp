// From a validated request to a report and an exit code.
#include <fmt/format.h>

#include <algorithm>

#include "base/files.h"
#include "base/folder.h"
#include "base/shell.h"
#include "cli/request/file_mode.h"
#include "cli/request/request.h"
#include "cli/ui/progress.h"
#include "launch/head/journal.h"
#include "launch/head/run.h"
#include "launch/os/interrupt.h"
#include "launch/transport/transports.h"
#include "report/report.h"

namespace sxb::cli {
namespace {

namespace fs = std::filesystem;

/// Writes the reports of a finished run; its own errors must not hide that the tasks ran.
void write_report(Ending& ending) {
  const auto write = [&]() -> Result<report::Outcome> {
    try {
      return report::write_reports(ending.run);
    } catch (const std::exception& exception) {
      return unexpected(exception);
    }
  };
  const Result<report::Outcome> outcome = write();
  if (!outcome.ok()) {
    write_err(format_errors(outcome.errors()));
    if (ending.code == ExitCode::kOk) ending.code = outcome.error().code;
    return;
  }
  ending.report = outcome->summary_report.string();
  ending.missed = outcome->missed;
  if (ending.code == ExitCode::kOk && !outcome->goals_met()) ending.code = ExitCode::kGoalMissed;
}

/// -J: copies the JSON of each sweep to `file`, numbered as nccl-tests does where there are several or
/// the file exists ("out.json", "out.json.0"): what is there is never overwritten.
Status copy_nccl_json(const fs::path& run, const std::string& file) {
  std::vector<fs::path> sources;
  std::error_code ec;
  for (const fs::path& path : paths_in(run / "reports", ec)) {
    const std::string name = path.filename().string();
    if (name.starts_with("nccl_") && path.extension() == ".json") sources.push_back(path);
  }
  for (const fs::path& source : sources) {
    SXB_ASSIGN_OR_RETURN(const std::string text, read_file(source));
    fs::path target = file;
    for (int i = 0; fs::exists(target, ec); ++i) target = fmt::format("{}.{}", file, i);
    SXB_RETURN_IF_ERROR(write_file_atomic(target, text));
    print_err("{} is in {}\n", source.stem().string(), target.string());
  }
  return ok_status();
}

/// False where the folder was taken away, or the disk was full before the run record was on it.
bool can_resume(const fs::path& run) {
  const Result<launch::JournalState> state = launch::read_journal(run);
  return state.ok() && state->run;
}

/// Whether going on may give what is missing: not where every task has either its result or asks for what it
/// cannot have.
bool can_help(const launch::RunOutcome& outcome) {
  const auto settled = [](const launch::TaskOutcome& task) {
    return task.code == ExitCode::kOk || task.code == ExitCode::kUsage;
  };
  return static_cast<int>(outcome.tasks.size()) < outcome.planned ||
         !std::all_of(outcome.tasks.begin(), outcome.tasks.end(), settled);
}

ExitCode perform_on(const Request& request, const std::string& json_file, Display& display) {
  launch::count_interrupts();
  limit_new_files(request);
  display.run_asked(request);
  const auto run = [&]() -> Result<launch::RunOutcome> {
    int nodes = 1;
    for (const plan::Task& task : request.tasks) nodes = std::max(nodes, task.nodes);
    nodes += static_cast<int>(request.spares.size());
    SXB_ASSIGN_OR_RETURN(const auto transport, launch::make_transport(request.cluster, nodes));
    return launch::execute(request, *transport, display);
  };
  const Result<launch::RunOutcome> outcome = run();
  if (!outcome.ok()) {
    write_err(format_errors(outcome.errors()));
    return outcome.error().code;
  }
  Ending ending;
  ending.code = outcome->code;
  ending.interrupted = outcome->interrupted;
  ending.planned = outcome->planned;
  ending.run = outcome->dir.string();
  ending.ok = static_cast<int>(std::count_if(outcome->tasks.begin(), outcome->tasks.end(),
                                             [](const auto& task) { return task.code == ExitCode::kOk; }));
  if (can_help(*outcome) && can_resume(outcome->dir)) {
    ending.resume = shell_line({"sxbench", "run", "--resume", ending.run});
  }
  if (!outcome->stopped_by.empty()) {
    write_err(format_errors(outcome->stopped_by));
  } else if (!request.report) {
    ending.to_report = shell_line({"sxbench", "report", ending.run});
  } else {
    write_report(ending);
    if (!json_file.empty() && !ending.report.empty()) {
      if (const Status copied = copy_nccl_json(ending.run, json_file); !copied.ok()) {
        write_err(format_errors(copied.errors()));
        if (ending.code == ExitCode::kOk) ending.code = copied.error().code;
      }
    }
  }
  display.run_ended(ending);
  return ending.code;
}

}  // namespace

ExitCode perform(const Request& request, const Flags& flags, Display& display) {
  JsonProgress json;
  Display& shown = flags.json ? static_cast<Display&>(json) : display;
  const ExitCode code = perform_on(request, flags.json_file, shown);
  forgive_lost_output();
  return code;
}

}  // namespace sxb::cli
