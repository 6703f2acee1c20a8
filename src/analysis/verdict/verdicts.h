// Goals of the cluster config against what was measured, and what holds without any goal. Every function
// gives rows of the verdict table, in the order of the report.
#pragma once

#include <vector>

#include "analysis/gpu/burns.h"
#include "analysis/gpu/gpu_groups.h"
#include "analysis/guard/guard.h"
#include "analysis/locate/locate.h"
#include "analysis/nccl/nccl_groups.h"
#include "analysis/sft/sft_groups.h"
#include "analysis/verdict/verdict.h"

namespace sxb::analysis {

/// `cluster`: the resolved config, as in the `run` record; a goal that it does not set has no row.
std::vector<Verdict> judge_goals(const Json& cluster, const std::vector<SftGroup>& sft,
                                 const std::vector<NcclGroup>& nccl);
/// Data that came out right, and what the topology lets expect.
std::vector<Verdict> judge_sweeps(const std::vector<NcclGroup>& nccl);
/// A row for every figure beyond physics; none where all are possible.
std::vector<Verdict> judge_plausibility(const std::vector<Check>& checks);
/// An achieved figure that physics rules out cannot meet a goal: its PASS in `verdicts` becomes IMPLAUSIBLE.
void void_implausible(const std::vector<SftGroup>& sft, const std::vector<NcclGroup>& nccl,
                      std::vector<Verdict>& verdicts);
/// Slow parts that a search named, or that it named none.
std::vector<Verdict> judge_searches(const std::vector<LocateSearch>& searches);
/// Wrong data, mismatches, slow devices and growth of memory.
std::vector<Verdict> judge_devices(const std::vector<GpuGroup>& gpu, const std::vector<BurnTask>& burns);

}  // namespace sxb::analysis
