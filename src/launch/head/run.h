// The head: runs the tasks of a plan one after another, journals what comes back.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "config/cluster/cluster.h"
#include "launch/head/journal.h"
#include "launch/head/placement.h"
#include "launch/transport/transport.h"
#include "plan/task.h"

namespace sxb::launch {

struct RunOptions {
  config::Cluster cluster;            ///< its last nodes are the spares
  Layout layout;                      ///< of the same nodes
  std::vector<std::string> spares;    ///< names of the spares
  std::vector<std::string> excluded;  ///< named with --exclude, for the record
  std::vector<plan::Task> tasks;
  int retries = 0;                          ///< how often a task that failed is tried again
  std::filesystem::path resume;             ///< run folder to go on with; empty = a new one
  bool report = true;                       ///< asked for, for the record: resuming does the same
  std::string name;                         ///< part of the run folder's name
  std::string command;                      ///< as typed, for the report
  std::filesystem::path results;            ///< where the run folder goes
  std::string program = self_executable();  ///< sxbench as the nodes have it
  TaskSettings settings;
};

struct TaskOutcome {
  std::string status = "ok";  ///< ok, failed or interrupted
  std::string reason;         ///< why it failed, with node and rank
  std::string failed_node;
  int failed_rank = -1;
  double duration_s = 0;
  double verdict_s = 0;     ///< from the start of the task to the verdict, if it failed
  bool node_fault = false;  ///< the node is at fault, not what ran on it: a spare may take its place
  bool earlier = false;     ///< the result was there before this run was resumed
  ExitCode code = ExitCode::kOk;
};

/// What a run starts with.
struct RunStart {
  std::filesystem::path dir;
  int planned = 0;
  std::vector<plan::Task> todo;  ///< those without a result
  bool resumed = false;
};

/// Hears of everything while it happens; called from the head's only thread.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void run_started(const RunStart& /*start*/) {}
  /// `index` from 1, of `total` tasks of the plan; `attempt` from 1.
  virtual void task_started(const plan::Task& /*task*/, int /*index*/, int /*total*/, int /*attempt*/) {}
  /// Everything but samples, of which a large run has too many.
  virtual void record(const plan::Task& /*task*/, const record::Record& /*record*/) {}
  virtual void task_ended(const plan::Task& /*task*/, const TaskOutcome& /*outcome*/) {}
  /// An attempt failed and the task is tried again; `spare` takes the failed node's place, or is empty.
  virtual void task_retried(const plan::Task& /*task*/, const TaskOutcome& /*outcome*/,
                            const std::string& /*spare*/) {}
};

struct RunOutcome {
  std::filesystem::path dir;
  std::vector<TaskOutcome> tasks;  ///< one per task of the plan that has a result or was started
  int planned = 0;
  bool interrupted = false;
  Errors lost_journal;  ///< why nothing more could be written (disk full); ends the run
  ExitCode code = ExitCode::kOk;
};

/// Runs the tasks of the plan that have no result yet; one that fails does not stop the next. Errors
/// mean that nothing was started. Watches interrupts().
Result<RunOutcome> execute(const RunOptions& options, Transport& transport, Observer& observer);

/// Records of the head itself.
record::Record head_record(const char* kind, const std::string& task, Json data);
record::Record head_finding(const std::string& task, const char* severity, const char* code,
                            const Error& error);

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
