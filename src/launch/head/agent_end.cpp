#include "launch/head/agent_end.h"

#include <fmt/format.h>

#include "config/cluster/node_set.h"

namespace sxb::launch {
namespace {

/// Of what a node told: no other code may become the run's.
ExitCode known_code(int code) {
  for (const ExitCode known : {ExitCode::kUsage, ExitCode::kGoalMissed, ExitCode::kEnvironment}) {
    if (code == static_cast<int>(known)) return known;
  }
  return ExitCode::kTaskFailed;
}

std::string said(const std::string& last_words) {
  return last_words.empty() ? "" : fmt::format(" (its last words: {})", last_words);
}

}  // namespace

std::optional<TaskFailure> failure_of(const AgentExit& exit) {
  TaskFailure failure;
  failure.node = exit.node;
  if (exit.status.signal != 0) {
    failure.severity = FailureSeverity::kLost;
    failure.reason =
        fmt::format("the agent on node {} ended: {} (logs/{}.log)", exit.node, exit.status.text(), exit.node);
    failure.code = ExitCode::kEnvironment;
    failure.node_fault = true;
    return failure;
  }
  const std::optional<record::AgentEnd>& end = exit.intake.end();
  // Its last record alone is sxbench's word: shells, wrappers and libraries end processes with codes of
  // theirs.
  const int told = end ? end->exit_code.value_or(0) : 0;
  const int code = told != 0 ? told : exit.status.code;
  if (code == 0) {
    const Status proved = exit.intake.proof();
    if (proved.ok()) return std::nullopt;
    failure.severity = FailureSeverity::kLost;
    failure.reason = proved.error().what + said(exit.last_words) + "; " + proved.error().help;
    failure.code = ExitCode::kEnvironment;
    failure.node_fault = true;
    return failure;
  }
  failure.severity = FailureSeverity::kUnexplained;
  if (code == static_cast<int>(ExitCode::kInterrupted)) {
    failure.reason = fmt::format(
        "something on node {} told the agent there to end (a batch system, a limit of time, an "
        "administrator; logs/{}.log)",
        exit.node, exit.node);
    failure.code = ExitCode::kEnvironment;
    return failure;
  }
  const char* whose = told == 0          ? ", which is not sxbench's own"
                      : exit.status.ok() ? ", which what started it there hides"
                                         : "";
  failure.reason = fmt::format("the agent on node {} ended: exit code {}{} (logs/{}.log)", exit.node, code,
                               whose, exit.node);
  failure.code = told != 0 ? known_code(told) : ExitCode::kEnvironment;
  failure.node_fault = failure.code == ExitCode::kEnvironment;
  return failure;
}

Error no_answer(const AgentExit& exit, const std::string& program) {
  return {
      fmt::format("no sxbench answered on node {}: what was started there {} {}{}", exit.node,
                  exit.status.signal == 0 ? "ended with" : "was", exit.status.text(), said(exit.last_words)),
      exit.node,
      fmt::format(
          "try what sxbench starts there by hand ({} --version): a login shell, ForceCommand, start-up "
          "file or wrapper may run something else in its place",
          program),
      ExitCode::kEnvironment};
}

std::string beside(const std::string& named, std::vector<std::string> absent) {
  std::erase(absent, named);
  if (absent.empty()) return "";
  return fmt::format("; and {} more {} not there: {}", absent.size(),
                     absent.size() == 1 ? "node is" : "nodes are", config::fold_node_set(absent));
}

}  // namespace sxb::launch
