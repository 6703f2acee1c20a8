// What the end of an agent means. Success is proved, not assumed: an exit code of 0 says only that something
// ended on that node.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "launch/head/intake.h"
#include "launch/node/failure_severity.h"
#include "launch/os/process.h"

namespace sxb::launch {

/// Why a task failed.
struct TaskFailure {
  FailureSeverity severity = FailureSeverity::kNone;
  std::string node;
  int rank = -1;
  std::string reason;
  ExitCode code = ExitCode::kTaskFailed;
  bool hang = false;        ///< what the ranks were doing is evidence
  bool node_fault = false;  ///< another node may do better
  bool head_fault = false;  ///< the head itself was away: no node is at fault
};

/// Of an agent that nobody here has told to end.
struct AgentExit {
  const std::string& node;
  const Intake& intake;
  const ExitStatus& status;
  const std::string& last_words;  ///< its last lines that were no records, escaped
};

/// nullopt: it has proved that its part is done.
std::optional<TaskFailure> failure_of(const AgentExit& exit);

/// Of one that has sent no record: what ran there was no sxbench, or none that could say a word. `program` is
/// what was started.
Error no_answer(const AgentExit& exit, const std::string& program);

/// What is added to a reason that names the node `named`, so that one pass names all that are not there.
std::string beside(const std::string& named, std::vector<std::string> absent);

}  // namespace sxb::launch
