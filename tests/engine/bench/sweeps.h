// Sweeps on CPU ranks, and the records that they emit.
#pragma once

#include <string>
#include <vector>

#include "engine/bench/sweep/sweep.h"
#include "engine/support/ranks.h"
#include "engine/support/records.h"

namespace sxb::engine::bench {

inline plan::CollectiveSweep small_sweep(const std::string& collective = "all_reduce") {
  plan::CollectiveSweep sweep;
  sweep.collective = collective;
  sweep.min_bytes = 8;
  sweep.max_bytes = 64 * 1024;
  sweep.step_factor = 8;
  sweep.iterations = 3;
  sweep.warmup = 1;
  sweep.per_iteration = 1;  // no more iterations than those
  return sweep;
}

/// Of a rank on nodes of two ranks each.
inline plan::RankPlace place_of(int rank) { return {rank, rank % 2, rank / 2}; }

/// The sweeps one after the other on the same communicators: connecting costs more than they do.
inline void sweep_on(int world, const std::vector<plan::CollectiveSweep>& sweeps, Records& records) {
  run_gloo(world, [&](comm::Communicator& comm) {
    for (const auto& sweep : sweeps) {
      const auto memory = make_host_memory(world);
      run_sweep(sweep, comm, *memory, Emitter(&Records::add, &records), place_of(comm.rank()));
    }
  });
}

}  // namespace sxb::engine::bench
