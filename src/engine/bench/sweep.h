// The sweep of one collective over sizes, measured as nccl-tests measures.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/bench/memory.h"
#include "engine/comm/communicator.h"
#include "engine/emitter.h"
#include "sxbench/plan/task.h"

namespace sxb::engine {

/// Sizes from min to max, multiplied by the factor or, if step_bytes > 0, increased by the step.
/// EngineError "bad_argument" if the numbers make no list.
std::vector<std::int64_t> sweep_sizes(const plan::CollectiveSweep& sweep);

/// Collective over all ranks. Rank 0 emits a "collective" record when a size is done; a rank for which
/// `emit_window` holds (one per node) emits the "window" at the end. If elements were wrong, the whole
/// range is measured all the same and then EngineError "wrong_data" is thrown on every rank.
void run_sweep(const plan::CollectiveSweep& sweep, Communicator& comm, Memory& memory, const Emitter& emitter,
               bool emit_window);

}  // namespace sxb::engine
