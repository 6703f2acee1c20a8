// What Gloo computes with: element types and operators. It has no bfloat16 and no FP8.
#pragma once

#include <gloo/types.h>

#include <cstdint>
#include <functional>

#include "engine/comm/communicator.h"

namespace sxb::engine {

/// Calls f(T{}) with the C++ type of an element; EngineError "unsupported" for a type that Gloo lacks.
template <typename F>
auto gloo_with_type(DType dtype, F&& f) {
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
    case DType::kFloat16:
      return f(gloo::float16{});
    case DType::kFloat32:
      return f(float{});
    case DType::kFloat64:
      return f(double{});
    case DType::kBFloat16:
    case DType::kFloat8E4M3:
    case DType::kFloat8E5M2:
      break;
  }
  throw EngineError(std::string("Gloo has no arithmetic for ") + dtype_name(dtype), "unsupported",
                    "use -d float on the CPU, or run on GPUs", ExitCode::kUsage);
}

using GlooReduce = std::function<void(void*, const void*, const void*, std::size_t)>;
/// Of avg and mulsum the sum; the rest is done by the two functions below, which do nothing for others.
GlooReduce gloo_reduce(DType dtype, RedOp op);
/// mulsum: multiplies by the scalar of `rank`, before the sum.
void gloo_premultiply(void* data, std::int64_t count, DType dtype, RedOp op, int rank);
/// avg: divides by the number of ranks, after the sum.
void gloo_divide(void* data, std::int64_t count, DType dtype, RedOp op, int world);

}  // namespace sxb::engine
