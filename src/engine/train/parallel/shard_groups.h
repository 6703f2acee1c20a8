// Which ranks a unit is shared among, and over which communicators it travels.
#pragma once

#include <memory>
#include <string>

#include "config/model/model.h"
#include "engine/comm/communicator.h"
#include "plan/task.h"

namespace sxb::engine::train {

/// All communicators work on the one communication stream, so their order is that of the calls and
/// two of them never run at once.
class ProcessGroups {
 public:
  /// Every rank by itself in `world`: what one rank, and none, optimizer, gradients and full need.
  explicit ProcessGroups(comm::Communicator& world) : world_(world) {}
  /// For `sharding` of `task`, as training.comm asks. Collective. EngineError "uneven_nodes" if hybrid
  /// sharding meets nodes with different numbers of ranks.
  ProcessGroups(comm::Communicator& world, config::Sharding sharding, const plan::RankTask& task);

  comm::Communicator& world() const { return world_; }
  /// Ranks that share a unit: the node's under hybrid sharding, else all. Reductions.
  comm::Communicator& shard() const { return shard_ ? *shard_ : world_; }
  /// The same ranks, for all-gathers.
  comm::Communicator& gather() const { return gather_ ? *gather_ : shard(); }
  /// Ranks of other nodes that hold the same share; null unless sharding is hybrid.
  comm::Communicator* replicas() const { return replicas_.get(); }

 private:
  comm::Communicator& world_;
  std::unique_ptr<comm::Communicator> shard_, gather_, replicas_;
};

}  // namespace sxb::engine::train
