// What a sweep is held against: the physical limit, the topology's expected value, and its own fit.
#pragma once

#include "analysis/nccl/nccl_groups.h"

namespace sxb::analysis {

/// Limit, expected value, fit, wire rates and the marks of a sweep whose rows are joined. `task`: one of its
/// repeats.
void judge_sweep(const Dataset& dataset, const TaskData& task, const Hardware& hardware, NcclGroup& group);

}  // namespace sxb::analysis
