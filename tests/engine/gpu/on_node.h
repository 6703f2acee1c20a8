// CPU ranks of one node, on threads.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/base/emitter.h"
#include "engine/rank/node_ranks.h"
#include "engine/support/ranks.h"
#include "engine/support/records.h"
#include "plan/task.h"

namespace sxb::engine::gpu {

/// Runs `body` on each rank of a node, and keeps what it emits.
inline void on_node(
    int world, const plan::Task& what, Records& records,
    const std::function<void(const plan::RankTask&, rank::NodeRanks&, const Emitter&)>& body) {
  const int port = free_port();
  run_ranks(world, [&](int rank) {
    comm::Rendezvous rendezvous(local_rendezvous(rank, world, port));
    plan::RankTask task;
    task.task = what;
    task.node = "node";
    task.rank = task.local_rank = rank;
    task.world = task.local_world = world;
    rank::NodeRanks ranks(rendezvous, task);
    body(task, ranks, Emitter(&Records::add, &records));
  });
}

}  // namespace sxb::engine::gpu
