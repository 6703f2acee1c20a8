// Whether a plan can run, decided before anything starts. Pure: what is known of the devices is
// passed in.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "plan/memory.h"
#include "plan/task.h"

namespace sxb::plan {

/// What the caller has found out about the nodes; all of them are taken to be alike.
struct DeviceFacts {
  bool cuda = false;              ///< ranks run on GPUs
  int gpus_per_node = 0;          ///< found on a node that does not list its own; 0 = unknown
  int cpu_slots = 1;              ///< ranks of a CPU node that does not say
  std::int64_t memory_bytes = 0;  ///< of one GPU, or RAM of one machine; 0 = unknown, not judged
};

/// Ranks on one node: what it lists, else what the cluster says of its GPUs, else the facts.
int ranks_on(const config::Cluster& cluster, const config::Node& node, const DeviceFacts& facts);
/// Ranks on the first `nodes` nodes, of which the cluster must have that many.
int world_size(const config::Cluster& cluster, int nodes, const DeviceFacts& facts);
/// Bytes one rank may use: its GPU, or its share of the RAM of a machine that may hold several of the
/// first `nodes` nodes. 0 = unknown.
std::int64_t memory_per_rank(const config::Cluster& cluster, int nodes, const DeviceFacts& facts);

/// The ranks of a task on the first `nodes` nodes, as sharding and memory depend on them.
Ranks ranks_of(const config::Cluster& cluster, int nodes, const DeviceFacts& facts);

/// Values and combinations that can run nowhere. Every error names the flag of `sxbench nccl`.
Status validate_sweep(const CollectiveSweep& sweep);
/// What cannot run on the first `nodes` nodes of which the cluster has as many: root out of the world,
/// groups of unequal size or of one rank, a hypercube of other than a power of two, buffers beyond the
/// memory, GPU modes on CPUs. Call it on what validate_sweep() accepts.
Status validate_sweep_on(const CollectiveSweep& sweep, const config::Cluster& cluster, int nodes,
                         const DeviceFacts& facts);

/// Every reason why the plan cannot run, each with the change or the command that would work:
/// more nodes than the cluster has, nodes without a rank, precisions that the device lacks, models
/// that do not fit the memory, a sweep that makes no sense. All are ExitCode::kUsage, but GPUs that
/// the config asks for and the machine lacks: kEnvironment.
Status validate(const PlanInput& input, const DeviceFacts& facts);

}  // namespace sxb::plan
