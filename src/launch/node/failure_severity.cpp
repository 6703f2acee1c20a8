#include "launch/node/failure_severity.h"

#include <utility>

namespace sxb::launch {

FailureSeverity severity_of(std::string_view finding_code) {
  static constexpr std::pair<std::string_view, FailureSeverity> kSeverities[] = {
      {"gpu_lost", FailureSeverity::kGpu},
      {"gpu_missing", FailureSeverity::kGpu},
      {"gpu_mig", FailureSeverity::kGpu},
      {"rank_killed", FailureSeverity::kRankKilled},
      {"rank_silent", FailureSeverity::kRankSilent},
      {"rank_error", FailureSeverity::kRankError},
      {"rank_failed", FailureSeverity::kRankFailed},
      {"rank_start", FailureSeverity::kRankFailed},
      {"agent_failed", FailureSeverity::kRankFailed},
  };
  for (const auto& [code, severity] : kSeverities) {
    if (finding_code == code) return severity;
  }
  return FailureSeverity::kNone;
}

}  // namespace sxb::launch
