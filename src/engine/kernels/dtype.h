// Element types and reduction operators of the collectives, shared by the kernels (C++17, no
// dependency) and the communicators.
#pragma once

#include <cstdint>

namespace sxb::engine {

enum class DType { kInt8, kUint8, kInt32, kUint32, kInt64, kUint64, kFloat16, kFloat32, kFloat64, kBFloat16 };
enum class RedOp { kSum, kProd, kMin, kMax, kAvg };

/// Bytes per element.
constexpr std::int64_t dtype_size(DType dtype) {
  switch (dtype) {
    case DType::kInt8:
    case DType::kUint8:
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
