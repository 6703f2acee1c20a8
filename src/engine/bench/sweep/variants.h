// What a sweep consists of: the sizes, and the combinations that "all" stands for.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/bench/collectives/collective.h"
#include "plan/sweep.h"

namespace sxb::engine::bench {

/// A data type with an operator; what has none gets kSum.
struct Variant {
  DType dtype;
  RedOp op;
};

/// What plan::validate_sweep() refuses: EngineError "bad_argument".
void refuse_invalid(const plan::CollectiveSweep& sweep);
/// In nccl-tests' order: operators inside types. EngineError "bad_argument" for a name that is unknown.
std::vector<Variant> variants_of(const plan::CollectiveSweep& sweep, const Collective& collective);
/// -1 where the collective has none. `ranks`: of the smallest group. EngineError "bad_argument".
std::vector<int> roots_of(const plan::CollectiveSweep& sweep, const Collective& collective, int ranks);

}  // namespace sxb::engine::bench
