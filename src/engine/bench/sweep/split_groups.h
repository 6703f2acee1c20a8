// The groups of a split: which ranks run together.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/comm/communicator.h"
#include "plan/sweep.h"

namespace sxb::engine::bench {

/// Collective over the world; every rank gets the same list.
class Groups {
 public:
  /// EngineError "bad_argument" if the sweep's split cannot be read.
  Groups(const plan::CollectiveSweep& sweep, comm::Communicator& world, const plan::RankPlace& place);

  bool split() const { return own_ != nullptr; }
  int count() const { return static_cast<int>(members_.size()); }
  /// This rank's group.
  comm::Communicator& mine() { return own_ != nullptr ? *own_ : world_; }
  /// World ranks of a group, in the order of its ranks.
  const std::vector<int>& members(int group) const { return members_[static_cast<std::size_t>(group)]; }
  /// Ranks of the smallest group.
  int smallest() const;

 private:
  comm::Communicator& world_;
  std::vector<std::vector<int>> members_;
  std::unique_ptr<comm::Communicator> own_;
};

}  // namespace sxb::engine::bench
