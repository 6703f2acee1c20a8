// One product of cuBLASLt: its descriptors, the algorithms that the library proposes, and the call.
#pragma once

#include <cublasLt.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/stream.h"

namespace sxb::engine {

/// Types of operands, accumulation and result. FP8: e4m3 operands, fast accumulation, BF16 result.
enum class Numeric { kBf16, kFp16, kFp8, kTf32, kFp32, kFp64 };

/// C(m, n) = op(A) op(B) + beta C with inner dimension k, in cuBLAS' column-major terms. A row-major y(M, N)
/// is a column-major y^T(N, M), so the operands of a linear layer swap places.
struct Product {
  std::int64_t m, n, k;
  bool transpose_a, transpose_b;
  bool accumulate = false;
  Numeric numeric = Numeric::kBf16;

  /// y (M, N) = x (M, K) w (N, K)^T: A is w, B is x.
  static Product linear(std::int64_t M, std::int64_t N, std::int64_t K, Numeric numeric = Numeric::kBf16) {
    return {N, M, K, true, false, false, numeric};
  }
};

inline constexpr std::size_t kMatmulWorkspaceBytes = 64u << 20;
inline constexpr int kMatmulCandidates = 8;

/// EngineError "cublas_error" unless the call succeeded.
void check_cublas(cublasStatus_t status, const char* call);

class Matmul {
 public:
  explicit Matmul(const Product& product);
  Matmul(const Matmul&) = delete;
  Matmul& operator=(const Matmul&) = delete;
  ~Matmul();

  /// FP8: factors that operands are multiplied with, one float each in device memory.
  void set_scales(const float* a, const float* b);

  /// The library's candidates, best first by its own estimate; empty if it has none.
  std::vector<cublasLtMatmulAlgo_t> candidates(cublasLtHandle_t handle) const;
  /// `workspace` holds kMatmulWorkspaceBytes.
  void run(cublasLtHandle_t handle, const cublasLtMatmulAlgo_t& algorithm, const void* a, const void* b,
           void* c, void* workspace, Stream stream) const;

 private:
  Product product_;
  cublasLtMatmulDesc_t operation_ = nullptr;
  cublasLtMatrixLayout_t a_ = nullptr, b_ = nullptr, c_ = nullptr;
};

}  // namespace sxb::engine
