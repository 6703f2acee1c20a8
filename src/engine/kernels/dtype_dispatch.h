// From an element type that is known at run time to its C++ type.
#pragma once

#include <cstdint>

#include "engine/kernels/dtype.h"

namespace sxb::engine {

/// Calls f(T{}) where the element is a type of the language; otherwise(), which knows what stands for half,
/// bfloat16 and FP8, for these. Both return the same type.
template <typename F, typename Otherwise>
auto with_builtin_type(DType dtype, F&& f, Otherwise&& otherwise) {
  switch (dtype) {
    case DType::kInt8:
      return f(std::int8_t{});
    case DType::kUint8:
      return f(std::uint8_t{});
    case DType::kInt32:
      return f(std::int32_t{});
    case DType::kUint32:
      return f(std::uint32_t{});
    case DType::kInt64:
      return f(std::int64_t{});
    case DType::kUint64:
      return f(std::uint64_t{});
    case DType::kFloat32:
      return f(float{});
    case DType::kFloat64:
      return f(double{});
    case DType::kFloat16:
    case DType::kBFloat16:
    case DType::kFloat8E4M3:
    case DType::kFloat8E5M2:
      break;
  }
  return otherwise();
}

}  // namespace sxb::engine
