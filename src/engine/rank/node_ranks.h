// The ranks of one task in step, through the rendezvous alone: GPUs are tested whether or not NCCL, Gloo and
// the network between the nodes work.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/comm/rendezvous.h"
#include "plan/task.h"

namespace sxb::engine::rank {

/// All ranks call the same functions in the same order. EngineError "rendezvous_timeout" if one is gone.
class NodeRanks {
 public:
  NodeRanks(comm::Rendezvous& rendezvous, const plan::RankTask& task)
      : rendezvous_(rendezvous),
        node_(task.node_rank),
        local_rank_(task.local_rank),
        local_world_(task.local_world) {}

  int local_rank() const { return local_rank_; }
  int local_world() const { return local_world_; }

  /// What every rank of this node has given, by local rank.
  std::vector<std::vector<char>> exchange(const std::vector<char>& mine);
  /// All ranks of this node have come here.
  void barrier() { exchange({1}); }
  /// `body` on one rank of the node after the other.
  void in_turn(const std::function<void()>& body);

  /// All ranks of the task have come here.
  void world_barrier();
  /// The end: waits until all ranks have sent what they have to say; then rank 0, which serves the
  /// rendezvous, waits until the others need it no more. An error that is thrown after it ends the task
  /// without loss.
  void leave();

 private:
  std::string key(const char* what, int member) const;

  comm::Rendezvous& rendezvous_;
  int node_, local_rank_, local_world_;
  std::int64_t step_ = 0;
};

}  // namespace sxb::engine::rank
