// A made-up run with what sweeps can record: per-iteration statistics, NCCL's choice, groups, wrong data.
#pragma once

#include <filesystem>

#include "base/json.h"

namespace sxb::testing {

/// Settings that "all_reduce" of make_nccl_run() was planned with.
Json detailed_sweep();

/// On 2 nodes with 2 GPUs each: all_reduce with -I 1 -S 1 (task "dada00000001"), all_gather --split rails
/// ("dada00000002"; rail 1 is slow), broadcast -r all ("dada00000003"; rank 3 received a wrong element).
void make_nccl_run(const std::filesystem::path& folder);

}  // namespace sxb::testing
