// What a run tells while it happens, and how one of its tasks ended.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "plan/task.h"
#include "record/record.h"

namespace sxb::launch {

/// What a run starts with.
struct RunStart {
  std::filesystem::path dir;
  int planned = 0;
  std::vector<plan::Task> todo;  ///< those without a result
  bool resumed = false;
};

struct TaskOutcome {
  std::string status = "ok";  ///< ok, failed or interrupted
  std::string reason;         ///< why it failed, with node and rank
  std::string failed_node;
  int failed_rank = -1;
  double duration_s = 0;
  double verdict_s = 0;  ///< from the start of the task to the verdict, if it failed
  /// Nodes that no sxbench was heard of: unreachable, without it, or another program in its place.
  std::vector<std::string> absent_nodes = {};
  bool port_taken = false;  ///< the port that was chosen for the rendezvous is another program's
  bool node_fault = false;  ///< the node is at fault, not what ran on it: a spare may take its place
  bool head_fault = false;  ///< the head was away: the task is done again, and no node is at fault
  bool earlier = false;     ///< the result was there before this run was resumed
  ExitCode code = ExitCode::kOk;
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

}  // namespace sxb::launch
