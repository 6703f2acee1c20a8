// The matrix product of CPU ranks, by libtorch's BLAS; torch stays behind this header.
#pragma once

#include <cstdint>
#include <vector>

namespace sxb::engine::gpu {

/// y (n, n) = x (n, n) w (n, n), FP32, row-major, on the threads that the rank was given.
void host_product(float* y, const float* x, const float* w, std::int64_t n);

/// Values in [-1, 1) from a hash of index and seed.
std::vector<float> host_operand(std::int64_t count, std::uint64_t seed);

}  // namespace sxb::engine::gpu
