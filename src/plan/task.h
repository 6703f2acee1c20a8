// The plan: which tasks a run consists of. Pure: same input, same tasks, same ids.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "config/cluster/cluster.h"
#include "config/model/model.h"
#include "plan/gpu.h"
#include "plan/locate/locate.h"
#include "plan/sweep.h"

namespace sxb::plan {

enum class Phase { kCheck, kGpu, kBurn, kNccl, kLocate, kSft, kReport };
std::string to_string(Phase phase);
Result<std::vector<Phase>> parse_phases(std::string_view text);

/// One unit of work: runs on the first `nodes` nodes of the cluster, fails or succeeds as a whole.
struct Task {
  std::string id;  ///< first 12 hex digits of hash(canonical JSON of the rest + cluster facts)
  Phase phase = Phase::kCheck;
  int nodes = 1;
  int repeat = 0;         ///< 0-based
  config::Model model;    ///< phase sft
  CollectiveSweep sweep;  ///< phase nccl
  Locate locate;          ///< phase locate
  GpuSuite gpu;           ///< phase gpu
  Burn burn;              ///< phase burn
  /// "sft 7b on 4 nodes", "nccl all_reduce on 2 nodes", "nccl all_gather (rails) on 4 nodes".
  std::string label() const;
};
Json to_json(const Task& task);
Result<Task> parse_task(const Json& json, const std::string& where);

struct PlanInput {
  config::Cluster cluster;
  std::vector<config::Model> models;
  std::vector<int> node_counts;
  std::vector<Phase> phases;
  std::vector<CollectiveSweep> sweeps = {CollectiveSweep{}};
  GpuSuite gpu;
  Burn burn;
  Locate locate;
  int repeats = 1;
};
/// check -> gpu on the most nodes -> burn per node count -> nccl per sweep x node count -> locate per node
/// count -> sft per model x node count, each x repeats.
std::vector<Task> expand(const PlanInput& input);

/// What one rank is told, the only input of the engine besides the environment.
struct RankTask {
  Task task;
  std::string node;  ///< name of this node
  int rank = 0;
  int world = 1;
  int local_rank = 0;
  int local_world = 1;
  int node_rank = 0;
  int ranks_per_node = 1;  ///< of every node of the task; 0 = nodes differ
  bool cuda = false;
  int gpu = -1;  ///< index among the machine's GPUs (NVML order); the rank sees only this one
  std::string rendezvous_host;
  int rendezvous_port = 0;
  std::string token;           ///< 32 hex digits, the secret of the rendezvous
  std::string nonce;           ///< what marks this node's records on the wire (record/record.h)
  std::string dataset_dir;     ///< prepared shards (phase sft), empty = synthetic tokens
  std::string save_dir;        ///< where rank 0 writes the weights at the end, or empty
  std::string checkpoint_dir;  ///< of this run and task, where every rank keeps its shards; empty: nowhere
  std::int64_t recorded_steps = 0;  ///< of a training that goes on: steps 1 to this are in the journal
  std::int64_t memory_bytes = 0;    ///< of the GPU, or this rank's share of the machine's; 0 = unknown
  double peak_tflops = 0;           ///< BF16 dense peak of this GPU type; 0 = unknown, then no MFU
  int cpu_threads = 1;              ///< intra-op threads of a CPU rank
  std::string fabric;       ///< network.fabric of the cluster; some promise RDMA, which the rank checks
  bool mixed_gpus = false;  ///< ranks may have different types of GPU
};
Json to_json(const RankTask& task);
Result<RankTask> parse_rank_task(const Json& json, const std::string& where);

}  // namespace sxb::plan
