#include "engine/train/model/flops.h"

namespace sxb::engine::train {

FlopsPerToken flops_per_token(const config::Architecture& arch, double mean_len_sq_per_token) {
  const double matmul = 6.0 * static_cast<double>(arch.matmul_parameters());
  const double width = static_cast<double>(arch.layers) * static_cast<double>(arch.hidden);
  return {matmul + 6.0 * width * mean_len_sq_per_token, matmul + 12.0 * width * mean_len_sq_per_token};
}

}  // namespace sxb::engine::train
