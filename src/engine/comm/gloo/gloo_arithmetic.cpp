#include "engine/comm/gloo/gloo_arithmetic.h"

#include <gloo/math.h>

#include <type_traits>

namespace sxb::engine::comm {
namespace {

/// factor * each element, in float for half.
template <typename T, typename Factor>
void scale(T* values, std::int64_t count, Factor factor) {
  for (std::int64_t i = 0; i < count; ++i) {
    if constexpr (std::is_same_v<T, gloo::float16>) {
      values[i] = gloo::cpu_float2half_rn(gloo::cpu_half2float(values[i]) * static_cast<float>(factor));
    } else {
      values[i] = static_cast<T>(values[i] * static_cast<T>(factor));
    }
  }
}

}  // namespace

GlooReduce gloo_reduce(DType dtype, RedOp op) {
  return gloo_with_type(dtype, [op](auto zero) -> GlooReduce {
    using T = decltype(zero);
    using Function = void (*)(void*, const void*, const void*, std::size_t);
    switch (op) {
      case RedOp::kSum:
      case RedOp::kAvg:
      case RedOp::kMulSum:
        return static_cast<Function>(&gloo::sum<T>);
      case RedOp::kProd:
        return static_cast<Function>(&gloo::product<T>);
      case RedOp::kMin:
        return static_cast<Function>(&gloo::min<T>);
      case RedOp::kMax:
        return static_cast<Function>(&gloo::max<T>);
    }
    return nullptr;
  });
}

void gloo_premultiply(void* data, std::int64_t count, DType dtype, RedOp op, int rank) {
  if (op != RedOp::kMulSum) return;
  gloo_with_type(dtype,
                 [&](auto zero) { scale(static_cast<decltype(zero)*>(data), count, premul_scalar(rank)); });
}

void gloo_divide(void* data, std::int64_t count, DType dtype, RedOp op, int world) {
  if (op != RedOp::kAvg) return;
  gloo_with_type(dtype, [&](auto zero) {
    using T = decltype(zero);
    T* values = static_cast<T*>(data);
    if constexpr (std::is_integral_v<T>) {
      for (std::int64_t i = 0; i < count; ++i) values[i] = static_cast<T>(values[i] / static_cast<T>(world));
    } else {
      scale(values, count, 1.0 / world);
    }
  });
}

}  // namespace sxb::engine::comm
