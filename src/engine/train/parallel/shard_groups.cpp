#include "engine/train/parallel/shard_groups.h"

namespace sxb::engine::train {

ProcessGroups::ProcessGroups(comm::Communicator& world, config::Sharding sharding, const plan::RankTask& task)
    : world_(world) {
  const config::CommOptions& wanted = task.task.model.training.comm;
  comm::CommunicatorOptions options;
  options.max_ctas = static_cast<int>(wanted.max_ctas);
  const bool hybrid = sharding == config::Sharding::kHybrid;
  if (hybrid) {
    const double fewest = -world.max_over_ranks(-static_cast<double>(task.local_world));
    const double most = world.max_over_ranks(static_cast<double>(task.local_world));
    if (fewest != most) {
      throw EngineError(
          "sharding \"hybrid\" needs as many ranks on each node; here they have " +
              std::to_string(static_cast<int>(fewest)) + " to " + std::to_string(static_cast<int>(most)),
          "uneven_nodes", "--set training.sharding=full, or nodes with as many GPUs", ExitCode::kUsage);
    }
    options.name = "replicas";
    replicas_ = world.split(task.local_rank, task.node_rank, options);
  }
  if (hybrid || options.max_ctas > 0) {
    options.name = "shard";
    shard_ = world.split(hybrid ? task.node_rank : 0, world.rank(), options);
  }
  if (wanted.zero_cta) {
    options.name = "gather";
    options.cta_policy = comm::kCtaZero;
    gather_ = world.split(hybrid ? task.node_rank : 0, world.rank(), options);
  }
}

}  // namespace sxb::engine::train
