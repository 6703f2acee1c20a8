// Records that ranks on threads emit, and the ranks themselves.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "engine/emitter.h"
#include "engine/gpu/node_ranks.h"
#include "ranks.h"
#include "sxbench/plan/task.h"

namespace sxb::engine::gpu {

struct Records {
  std::mutex mutex;
  std::vector<Json> list;

  static void add(void* user, const char* json) {
    auto* self = static_cast<Records*>(user);
    const std::lock_guard lock(self->mutex);
    self->list.push_back(Json::parse(json));
  }
  std::vector<Json> of(const std::string& kind) const {
    std::vector<Json> found;
    for (const Json& record : list) {
      if (record["kind"] == kind) found.push_back(record["data"]);
    }
    return found;
  }
};

/// CPU ranks of one node, on threads.
inline void on_node(int world, const plan::Task& what, Records& records,
                    const std::function<void(const plan::RankTask&, NodeRanks&, const Emitter&)>& body) {
  const int port = free_port();
  run_ranks(world, [&](int rank) {
    Rendezvous rendezvous(local_rendezvous(rank, world, port));
    plan::RankTask task;
    task.task = what;
    task.node = "node";
    task.rank = task.local_rank = rank;
    task.world = task.local_world = world;
    NodeRanks ranks(rendezvous, task);
    body(task, ranks, Emitter(&Records::add, &records));
  });
}

}  // namespace sxb::engine::gpu
