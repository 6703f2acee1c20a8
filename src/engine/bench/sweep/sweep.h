// The sweep of one collective over sizes, measured as nccl-tests measures.
#pragma once

#include "engine/base/emitter.h"
#include "engine/bench/memory/memory.h"
#include "engine/comm/communicator.h"
#include "plan/sweep.h"

namespace sxb::engine::bench {

/// What the sweep asks of the communicator that it runs on: policy and timeout.
comm::CommunicatorOptions communicator_options(const plan::CollectiveSweep& sweep);

/// Collective over all ranks. When a size is done, rank 0 emits a "collective" record for each group;
/// before the first the record "overhead". The rank of local_rank 0 emits the "window" at the end. If
/// elements were wrong, the whole range is measured all the same and then EngineError "wrong_data" is thrown
/// on every rank. Split groups get communicators of their own, with communicator_options(); otherwise the
/// world is used as it is.
void run_sweep(const plan::CollectiveSweep& sweep, comm::Communicator& world, Memory& memory,
               const Emitter& emitter, const plan::RankPlace& place);

}  // namespace sxb::engine::bench
