// Patterns of the GPU micro-benchmarks, the same bits on the GPU and the host.
#pragma once

#include <cstdint>

#include "base/splitmix64.h"

#ifdef __CUDACC__
#define SXB_BENCH_HD __host__ __device__
#else
#define SXB_BENCH_HD
#endif

namespace sxb::kernels {

/// The number `index` of the sequence that `seed` starts.
SXB_BENCH_HD inline std::uint64_t bench_hash(std::uint64_t index, std::uint64_t seed) {
  return splitmix64(index + seed * kSplitMix64Gamma);
}

/// The 4-byte word `index` of a buffer.
SXB_BENCH_HD inline std::uint32_t bench_word(std::uint64_t index, std::uint64_t seed) {
  const std::uint64_t pair = bench_hash(index / 2, seed);
  return static_cast<std::uint32_t>(index % 2 == 0 ? pair : pair >> 32);
}

/// XOR of the 4-byte words of the first `bytes`, a multiple of 8.
inline std::uint32_t bench_xor(std::uint64_t bytes, std::uint64_t seed) {
  std::uint64_t all = 0;
  for (std::uint64_t pair = 0; pair < bytes / 8; ++pair) all ^= bench_hash(pair, seed);
  return static_cast<std::uint32_t>(all ^ (all >> 32));
}

}  // namespace sxb::kernels
