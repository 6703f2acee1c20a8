// Element types and reduction operators of the collectives, shared by the kernels (C++17, no
// dependency) and the communicators.
#pragma once

#include <cstdint>

namespace sxb::engine {

enum class DType {
  kInt8,
  kUint8,
  kInt32,
  kUint32,
  kInt64,
  kUint64,
  kFloat16,
  kFloat32,
  kFloat64,
  kBFloat16,
  kFloat8E4M3,
  kFloat8E5M2
};
/// kMulSum: the sum, in which each rank's elements are first multiplied by premul_scalar(rank).
enum class RedOp { kSum, kProd, kMin, kMax, kAvg, kMulSum };

/// Exact in every type, and not the same on all ranks: one that is applied on the wrong rank is seen.
#ifdef __CUDACC__
__host__ __device__
#endif
    constexpr int
    premul_scalar(int rank) {
  return 1 + rank % 2;
}

/// Bytes per element.
constexpr std::int64_t dtype_size(DType dtype) {
  switch (dtype) {
    case DType::kInt8:
    case DType::kUint8:
    case DType::kFloat8E4M3:
    case DType::kFloat8E5M2:
      return 1;
    case DType::kFloat16:
    case DType::kBFloat16:
      return 2;
    case DType::kInt32:
    case DType::kUint32:
    case DType::kFloat32:
      return 4;
    case DType::kInt64:
    case DType::kUint64:
    case DType::kFloat64:
      return 8;
  }
  return 0;
}

}  // namespace sxb::engine
