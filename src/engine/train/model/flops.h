// Model FLOPs in the two conventions of the field. Pure.
#pragma once

#include "config/model/model.h"

namespace sxb::engine::train {

/// Forward + backward FLOPs per token. `mean_len_sq_per_token` = sum of squared document lengths /
/// tokens; with whole sequences that is seq_len. Recomputation never counts (it is not model work).
struct FlopsPerToken {
  double causal;  ///< 6 N_matmul + 6 L D s: a causal query sees half of the keys on average
  double full;    ///< 6 N_matmul + 12 L D s: PaLM (Chowdhery et al. 2022), appendix B
};
FlopsPerToken flops_per_token(const config::Architecture& arch, double mean_len_sq_per_token);

}  // namespace sxb::engine::train
