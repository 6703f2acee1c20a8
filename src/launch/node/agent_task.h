// What the head tells one agent: the one JSON line on its stdin.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "config/cluster/cluster.h"
#include "plan/task.h"

namespace sxb::launch {

struct AgentTask {
  std::string build_id;  ///< of the head; the agent refuses another build
  std::string node;      ///< name of this node
  std::string nonce;     ///< marks the records of this agent and its ranks (record/record.h)
  int node_rank = 0;
  plan::Task task;
  std::vector<plan::RankTask> ranks;       ///< of this node; prepare() fills in its folders
  std::map<std::string, std::string> env;  ///< for the ranks only
  std::vector<int> gpus;                   ///< NVML indices to sample; empty = all
  std::string data_dir;                    ///< node-local folder of prepared datasets; empty = the cache
  std::int64_t sample_interval_ns = 100'000'000;
  config::Timeouts timeouts;
};

inline std::int64_t to_ns(double seconds) { return static_cast<std::int64_t>(seconds * 1e9); }

/// The rank tasks travel without their copies of `task` and `nonce`, which are the same for all.
Json to_json(const AgentTask& task);
Result<AgentTask> parse_agent_task(const Json& json, const std::string& where);

/// Variables that one rank gets on top of AgentTask::env: which GPUs it sees, its own as the first.
std::map<std::string, std::string> rank_environment(const AgentTask& task, const plan::RankTask& rank);

}  // namespace sxb::launch
