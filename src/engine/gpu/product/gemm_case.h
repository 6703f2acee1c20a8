// One matrix product y (M, N) = x (M, K) w (N, K)^T with operands, algorithm and check.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/blas/matmul.h"
#include "engine/gpu/device/cuda.h"
#include "engine/kernels/gpu_bench.h"

namespace sxb::engine::gpu {

/// "bf16", "fp16", "fp8", "tf32", "fp32", "fp64": as plan::Burn names them.
const char* name_of(Numeric numeric);
Numeric parse_numeric(const std::string& name);
/// Whether tensor cores of this compute capability have it.
bool has_numeric(Numeric numeric, int compute);

/// cuBLASLt's handle and workspace, one for each stream.
class Blas {
 public:
  Blas();
  ~Blas();
  Blas(const Blas&) = delete;
  Blas& operator=(const Blas&) = delete;
  cublasLtHandle_t handle() const { return handle_; }
  void* workspace() const { return workspace_.data(); }

 private:
  cublasLtHandle_t handle_ = nullptr;
  DeviceMemory workspace_{static_cast<std::int64_t>(kMatmulWorkspaceBytes)};
};

struct GemmShape {
  std::int64_t M, N, K;
  double flops() const {
    return 2.0 * static_cast<double>(M) * static_cast<double>(N) * static_cast<double>(K);
  }
  std::string text() const;  ///< "8192 x 8192 x 8192"
};

class GemmCase {
 public:
  /// Operands are standard normal; `seed` makes them different. Throws EngineError "cublas_error" if the
  /// library has no algorithm.
  GemmCase(const Blas& blas, Numeric numeric, const GemmShape& shape, std::uint64_t seed,
           cudaStream_t stream);

  const GemmShape& shape() const { return shape_; }
  std::int64_t result_bytes() const;
  void* result() const { return y_.data(); }

  /// Into `y`, which holds result_bytes(), or into result(), on `stream`.
  void run(const Blas& blas, cudaStream_t stream, void* y = nullptr) const;
  /// Takes the fastest of the library's candidates, timed hot: under the power cap its own first choice is
  /// not.
  void tune(const Blas& blas, const CudaStream& stream);
  /// Calls that last about `seconds`; at least one.
  int calls_for(double seconds) const;

  /// Wrong elements of result(): some rows against FP64, with the bound that the types allow.
  std::int64_t count_wrong(cudaStream_t stream) const;

 private:
  Numeric numeric_;
  GemmShape shape_;
  DeviceMemory x_, w_, y_, scale_;
  std::unique_ptr<Matmul> matmul_;
  std::vector<cublasLtMatmulAlgo_t> algorithms_;
  std::size_t chosen_ = 0;
  double call_s_ = 1e-3;
};

}  // namespace sxb::engine::gpu
