// What the head writes of a run and its tasks, and findings, which anyone writes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "record/record.h"

namespace sxb::record {

/// Head: what was asked for.
struct Run {
  static constexpr const char* kKind = kind::kRun;
  std::string run_id;
  std::string name;
  std::string command;
  std::string build_id;
  std::string config_hash;
  Json cluster;
  Json plan;
  std::map<std::string, std::string> nccl_env;
  std::vector<std::string> spares;
  std::vector<std::string> excluded;
  std::optional<std::int64_t> sample_interval_ns;
  std::string save_dir;
  std::optional<bool> report;
  std::optional<bool> resumed;
};

/// Head: a task begins.
struct TaskStart {
  static constexpr const char* kKind = kind::kTaskStart;
  std::string phase;
  std::string label;
  std::vector<std::string> nodes;
  std::optional<int> world;
  std::optional<int> attempt;
};

/// Head: status, reason, duration.
struct TaskEnd {
  static constexpr const char* kKind = kind::kTaskEnd;
  std::string status;
  std::string reason;
  std::string failed_node;
  std::optional<int> failed_rank;
  std::optional<double> duration_s;
  std::optional<int> exit_code;
  std::optional<double> verdict_s;
};

/// Head: the end of the run.
struct RunEnd {
  static constexpr const char* kKind = kind::kRunEnd;
  std::string status;
  std::optional<int> exit_code;
};

/// Every rank, when all that it had to say has been sent: without it a rank has not ended well, whatever its
/// exit code.
struct RankEnd {
  static constexpr const char* kKind = kind::kRankEnd;
  std::optional<int> exit_code;
  std::optional<std::int64_t> lines;
  std::string hash;
};

/// How a rank ended, as its agent saw it.
struct RankExit {
  int rank = -1;
  std::optional<int> exit_code;
  std::optional<int> signal;
  bool proved = false;
};

/// Agent, as the last it sends: without it a node has not done its part, whatever the exit code of what ran
/// there.
struct AgentEnd {
  static constexpr const char* kKind = kind::kAgentEnd;
  /// Reasons.
  static constexpr const char* kHeadGone = "head_gone";
  static constexpr const char* kTold = "told";
  std::optional<int> exit_code;
  std::optional<std::int64_t> lines;
  std::string hash;
  std::string reason;
  std::vector<RankExit> ranks;
};

/// Anyone: a warning with evidence.
struct Finding {
  static constexpr const char* kKind = kind::kFinding;
  std::string severity;
  std::string code;
  std::string message;
  std::string help;
};

}  // namespace sxb::record
