#include "engine/rank/node_ranks.h"

#include <chrono>

namespace sxb::engine::rank {
namespace {

/// A rank that is gone ends the task through its agent long before; this bounds a wait that nothing else
/// ends.
constexpr std::chrono::hours kPatience{1};

}  // namespace

std::string NodeRanks::key(const char* what, int member) const {
  return std::string(what) + "/" + std::to_string(step_) + "/" + std::to_string(member);
}

std::vector<std::vector<char>> NodeRanks::exchange(const std::vector<char>& mine) {
  ++step_;
  const std::string node = "node" + std::to_string(node_);
  rendezvous_.set(key(node.c_str(), local_rank_), mine);
  std::vector<std::string> keys;
  for (int r = 0; r < local_world_; ++r) keys.push_back(key(node.c_str(), r));
  rendezvous_.wait(keys, kPatience);
  std::vector<std::vector<char>> all;
  for (const std::string& one : keys) all.push_back(rendezvous_.get(one));
  return all;
}

void NodeRanks::in_turn(const std::function<void()>& body) {
  for (int turn = 0; turn < local_world_; ++turn) {
    if (turn == local_rank_) body();
    barrier();
  }
}

void NodeRanks::world_barrier() { rendezvous_.meet("world/" + std::to_string(++step_), kPatience); }

void NodeRanks::leave() { rendezvous_.leave(kPatience); }

}  // namespace sxb::engine::rank
