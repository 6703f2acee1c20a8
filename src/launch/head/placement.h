// Which ranks a cluster gives: one per GPU, or one per CPU slot.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/cluster/cluster.h"
#include "launch/node/agent_task.h"
#include "metrics/sampler.h"
#include "plan/task.h"
#include "plan/validate.h"

namespace sxb::launch {

struct NodePlacement {
  config::Node node;
  std::vector<int> gpus;  ///< one rank each; empty on the CPU
  int ranks = 0;
};

struct Placement {
  bool local = false;  ///< every node is this machine
  plan::DeviceFacts facts;
  std::vector<NodePlacement> nodes;  ///< all nodes of the cluster, in its order
  int cpu_threads = 1;               ///< per CPU rank
  double peak_tflops = 0;            ///< dense BF16 of one GPU; 0 = unknown
  int world(int nodes_used) const;   ///< ranks on the first nodes
  /// Where each of those ranks stands.
  std::vector<plan::RankPlace> places(int nodes_used) const;
};

/// What this machine has; tests give their own.
struct Machine {
  std::vector<metrics::Gpu> gpus;
  int cpus = 1;
  std::int64_t memory_bytes = 0;
};
Machine this_machine();

/// Errors: a GPU that the machine lacks, one that two nodes claim, a remote cluster that does not
/// say how many GPUs its nodes have.
Result<Placement> resolve_placement(const config::Cluster& cluster, const Machine& machine);

/// What each task of a run shares.
struct TaskSettings {
  std::int64_t sample_interval_ns = 100'000'000;
  std::string save_dir;             ///< where rank 0 writes the weights; empty = nowhere
  std::string run_id;               ///< its checkpoints are kept apart by it
  std::int64_t recorded_steps = 0;  ///< of the task that is tried again: see plan::RankTask
};

/// Where the checkpoints of a task of a run lie: of this run alone, so that no other's are taken. A relative
/// path is one below each node's own cache, which only the node knows. Empty: the task saves none.
std::string checkpoint_dir(const plan::Task& task, const std::string& run_id);

/// The agents' parts of one task, one per node that it uses, each made when it is asked for: a thousand of
/// them hold the task nine thousand times. Ranks are numbered node-major. `port` and `token` are the
/// rendezvous of this one task. Everything given by reference must outlive it.
class AgentTasks {
 public:
  AgentTasks(const config::Cluster& cluster, const Placement& placement, const plan::Task& task,
             const TaskSettings& settings, int port, std::string token);
  int size() const { return task_.nodes; }
  AgentTask operator[](int node_rank) const;

 private:
  const config::Cluster& cluster_;
  const Placement& placement_;
  const plan::Task& task_;
  const TaskSettings& settings_;
  const plan::Ranks ranks_;
  std::string host_;
  int port_;
  std::string token_;
};

/// A port of this machine that was free just now.
Result<int> free_port();

}  // namespace sxb::launch
