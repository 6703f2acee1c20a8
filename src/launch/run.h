// The head: runs the tasks of a plan one after another, journals what comes back.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "launch/journal.h"
#include "launch/layout.h"
#include "launch/transport.h"
#include "sxbench/config/cluster.h"
#include "sxbench/plan/task.h"

namespace sxb::launch {

/// How long the head waits before it calls something lost.
struct Bounds {
  std::int64_t agent_silence_ns = 60'000'000'000;  ///< no line, not even a heartbeat, from an agent
  std::int64_t stall_ns = 900'000'000'000;         ///< no record of progress from any rank of the task
};

struct RunOptions {
  config::Cluster cluster;
  Layout layout;
  std::vector<plan::Task> tasks;
  std::string name;                         ///< part of the run folder's name
  std::string command;                      ///< as typed, for the report
  std::filesystem::path results;            ///< where the run folder goes
  std::string program = self_executable();  ///< sxbench as the nodes have it
  TaskSettings settings;
  Bounds bounds;
};

struct TaskOutcome {
  std::string status = "ok";  ///< ok, failed or interrupted
  std::string reason;         ///< why it failed, with node and rank
  std::string failed_node;
  int failed_rank = -1;
  double duration_s = 0;
  ExitCode code = ExitCode::kOk;
};

/// Hears of everything while it happens; called from the head's only thread.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void run_started(const std::filesystem::path& /*dir*/) {}
  virtual void task_started(const plan::Task& /*task*/, int /*index*/, int /*total*/) {}
  virtual void record(const plan::Task& /*task*/, const record::Record& /*record*/) {}
  virtual void task_ended(const plan::Task& /*task*/, const TaskOutcome& /*outcome*/) {}
};

struct RunOutcome {
  std::filesystem::path dir;
  std::vector<TaskOutcome> tasks;  ///< one per task of the plan that was started
  bool interrupted = false;
  ExitCode code = ExitCode::kOk;
};

/// Runs all tasks; one that fails does not stop the next. Errors are those of the run folder alone
/// (disk full): the tasks' own failures are in the outcome. Watches interrupts().
Result<RunOutcome> execute(const RunOptions& options, Transport& transport, Observer& observer);

/// 0 all ok, 5 some, else the code that all failures share, or 1.
ExitCode exit_code_of(const std::vector<TaskOutcome>& tasks);

/// What stands in plan.json: the tasks, and for each task and node the command with its stdin. Port
/// and token of the rendezvous are chosen at the start of a task and so not in it.
Json plan_document(const RunOptions& options);

/// Passes the command of every task and node to `transport`, as execute() would.
Status dry_run(const RunOptions& options, Transport& transport);

}  // namespace sxb::launch
