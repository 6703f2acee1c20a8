// What Gloo computes with: element types and operators. It has no bfloat16 and no FP8.
#pragma once

#include <gloo/types.h>

#include <cstdint>
#include <functional>
#include <string>

#include "engine/comm/communicator.h"
#include "engine/kernels/dtype_dispatch.h"

namespace sxb::engine::comm {

/// Calls f(T{}) with the C++ type of an element; EngineError "unsupported" for a type that Gloo lacks.
template <typename F>
auto gloo_with_type(DType dtype, F&& f) {
  return with_builtin_type(dtype, f, [&] {
    if (dtype == DType::kFloat16) return f(gloo::float16{});
    throw EngineError(std::string("Gloo has no arithmetic for ") + dtype_name(dtype), "unsupported",
                      "use -d float on the CPU, or run on GPUs", ExitCode::kUsage);
  });
}

using GlooReduce = std::function<void(void*, const void*, const void*, std::size_t)>;
/// Of avg and mulsum the sum; the rest is done by the two functions below, which do nothing for others.
GlooReduce gloo_reduce(DType dtype, RedOp op);
/// mulsum: multiplies by the scalar of `rank`, before the sum.
void gloo_premultiply(void* data, std::int64_t count, DType dtype, RedOp op, int rank);
/// avg: divides by the number of ranks, after the sum.
void gloo_divide(void* data, std::int64_t count, DType dtype, RedOp op, int world);

}  // namespace sxb::engine::comm
