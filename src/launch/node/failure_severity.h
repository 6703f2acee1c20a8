// Which of several failures of a task is the cause: agent and head each keep the one that says most.
#pragma once

#include <string_view>

namespace sxb::launch {

/// How near a failure is to the cause: a rank that was killed explains why its peers lost it, not the
/// other way round. One below kLost may itself be the consequence of a node that is gone and of
/// which nobody has heard yet.
enum class FailureSeverity {
  kNone,
  kUnexplained,
  kRankFailed,  ///< for whatever reason, perhaps only because a peer is gone
  kRankError,   ///< for a reason of its own: exit codes 2, 3, 4
  kLost,        ///< the node
  kRankSilent,
  kRankKilled,
  kGpu,  ///< lost, missing or cut into slices
  kNotStarted,
  kHeadAway,  ///< stopped or suspended: what the nodes did of themselves follows from that
};

/// Of a finding, by its code; kNone: it is no failure.
FailureSeverity severity_of(std::string_view finding_code);

}  // namespace sxb::launch
