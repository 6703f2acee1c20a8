#include "engine/gpu/product/host_product.h"

#include <ATen/ops/from_blob.h>
#include <ATen/ops/mm.h>
#include <c10/core/InferenceMode.h>

#include "engine/kernels/bench_pattern.h"

namespace sxb::engine::gpu {
namespace {

/// A view: torch's interface has no const memory.
at::Tensor square(const float* data, std::int64_t n) {
  return at::from_blob(const_cast<float*>(data), {n, n}, at::kFloat);
}

}  // namespace

void host_product(float* y, const float* x, const float* w, std::int64_t n) {
  const c10::InferenceMode no_autograd;
  at::Tensor result = square(y, n);
  at::mm_out(result, square(x, n), square(w, n));
}

std::vector<float> host_operand(std::int64_t count, std::uint64_t seed) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    const std::uint64_t bits = kernels::bench_hash(static_cast<std::uint64_t>(i), seed);
    values[static_cast<std::size_t>(i)] =
        static_cast<float>(static_cast<std::int32_t>(bits >> 32)) * 0x1p-31f;
  }
  return values;
}

}  // namespace sxb::engine::gpu
