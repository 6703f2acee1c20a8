// The phase gpu on one rank: the tests that the plan names, figure by figure.
#pragma once

#include "engine/base/emitter.h"
#include "engine/gpu/tests/test.h"

namespace sxb::engine::gpu {

/// Emits a "gpu_bench" for each figure and each waived test, and a "window" around each test on local rank 0.
/// EngineError "wrong_data" at the end if a result was wrong, "all_waived" if no test could run; the peers'
/// records are complete then too.
void run_suite(const plan::RankTask& task, const Facts& facts, rank::NodeRanks& ranks, const Emitter& emitter,
               const std::vector<const Test*>& list = tests());

/// Of this rank's device.
Facts facts_of(const plan::RankTask& task);

}  // namespace sxb::engine::gpu
