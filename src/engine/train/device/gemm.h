// Matrix products of the trainer. On the GPU cuBLASLt with an algorithm chosen by timing: under the
// power cap its first choice is not the best (a hot, whole-machine timing ranks the candidates
// otherwise than a cold one does), and the step is bound by energy.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/comm/communicator.h"

namespace sxb::engine::train {

class Gemm {
 public:
  Gemm();
  ~Gemm();
  Gemm(const Gemm&) = delete;
  Gemm& operator=(const Gemm&) = delete;

  /// y = x w^T, x (M, K), w (N, K) as Hugging Face stores it.
  void linear(at::Tensor& y_MN, const at::Tensor& x_MK, const at::Tensor& w_NK);
  /// dx = dy w.
  void input_grad(at::Tensor& dx_MK, const at::Tensor& dy_MN, const at::Tensor& w_NK);
  /// dw (+)= dy^T x, straight into the flat gradient buffer.
  void weight_grad(at::Tensor& dw_NK, bool accumulate, const at::Tensor& dy_MN, const at::Tensor& x_MK);

  /// A linear layer to tune for: M tokens, weight (N, K).
  struct Layer {
    std::int64_t tokens, out, in;
  };
  struct Tuning {
    int products = 0;  ///< distinct products that were timed or read from the cache
    int changed = 0;   ///< of them, those that do not use cuBLASLt's first choice
    double gain = 0;   ///< summed time of the first choices / of the chosen; 0 if from the cache
    bool cached = false;
  };
  /// Chooses an algorithm for the three products of every layer (forward, input gradient, weight
  /// gradient): all ranks time all candidates at the same time, hot, on random BF16 data, and agree
  /// on the least time summed over ranks. The choice is kept in `cache_file` and taken from there
  /// next time; the caller names it after GPU type and library version.
  Tuning tune(const std::vector<Layer>& layers, comm::Communicator& comm, const std::string& cache_file);

  /// Where the choices of this GPU type and library version are kept.
  static std::string cache_file();

  /// Version of the cuBLASLt library that is loaded.
  static std::string version();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sxb::engine::train
