// Predicts the peak memory of one training rank before anything starts, so that a run that cannot
// fit is refused with the setting to change instead of dying in step 3.
#pragma once

#include <cstdint>
#include <string>

#include "sxbench/config/model.h"

namespace sxb::plan {

struct MemoryEstimate {
  std::int64_t parameters_bytes = 0;   ///< resident and gathered weights
  std::int64_t gradients_bytes = 0;
  std::int64_t optimizer_bytes = 0;    ///< FP32 master, m, v
  std::int64_t activations_bytes = 0;  ///< saved for the backward pass
  std::int64_t workspace_bytes = 0;    ///< logits, temporary buffers, library workspaces
  std::int64_t total() const {
    return parameters_bytes + gradients_bytes + optimizer_bytes + activations_bytes + workspace_bytes;
  }
};

/// kAuto resolved: full sharding on several GPUs, none on one rank; CPU ranks use none.
config::Sharding resolve_sharding(const config::Model& model, int world, bool cuda);

/// "auto" resolved: the least work that brings the estimate into `available_bytes` with some room to
/// spare; whole blocks if nothing less does. 0 = the memory is not known: norms and SwiGLU, which
/// cost little. `model.training.sharding` is taken as it is.
config::Recompute resolve_recompute(const config::Model& model, int world, bool cuda,
                                    std::int64_t available_bytes);

/// The model with both settled: what a rank with `available_bytes` really does.
config::Model resolve_auto(const config::Model& model, int world, bool cuda, std::int64_t available_bytes);

/// Peak of one rank with `world` ranks. Recomputation "auto" counts as none: see resolve_auto.
MemoryEstimate estimate_memory(const config::Model& model, int world, bool cuda);

/// The smallest change of `model` that fits `available_bytes`, as flags the user can type
/// ("--set training.recompute=norms,swiglu"); empty if no change does.
std::string smallest_change_that_fits(const config::Model& model, int world, bool cuda,
                                      std::int64_t available_bytes);

}  // namespace sxb::plan
