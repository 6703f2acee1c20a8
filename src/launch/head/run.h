// The head: runs the tasks of a plan one after another, journals what comes back.
#pragma once

#include <filesystem>
#include <vector>

#include "launch/head/observer.h"
#include "launch/head/run_options.h"
#include "launch/transport/transport.h"

namespace sxb::launch {

struct RunOutcome {
  std::filesystem::path dir;
  std::vector<TaskOutcome> tasks;  ///< one per task of the plan that has a result or was started
  int planned = 0;
  bool interrupted = false;
  Errors stopped_by;  ///< nothing more could be written (disk full), or what nobody expects: ends the run
  ExitCode code = ExitCode::kOk;
};

/// Runs the tasks of the plan that have no result yet; one that fails does not stop the next. Errors
/// mean that nothing was started. Watches interrupts().
Result<RunOutcome> execute(const RunOptions& options, Transport& transport, Observer& observer);

/// What a run needs to go on, from its journal alone: cluster, plan, settings. Errors: no run record,
/// or one of another version.
Result<RunOptions> options_from_journal(const std::filesystem::path& dir);

/// 0 all ok, 5 some, else the code that all failures share, or 1.
ExitCode exit_code_of(const std::vector<TaskOutcome>& tasks);

/// Writes plan.json: the tasks, and for each task and node, a line each, the command with its stdin. Port
/// and token of the rendezvous are chosen at the start of a task and so not in it.
Status write_plan(const std::filesystem::path& path, const RunOptions& options);

/// Passes the command of every task and node to `transport`, as execute() would.
Status dry_run(const RunOptions& options, Transport& transport);

}  // namespace sxb::launch
