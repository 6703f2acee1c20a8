// Patterns of the GPU micro-benchmarks, the same bits on the GPU and the host.
#pragma once

#include <cstdint>

#ifdef __CUDACC__
#define SXB_BENCH_HD __host__ __device__
#else
#define SXB_BENCH_HD
#endif

namespace sxb::kernels {

/// A mix of all bits (the finaliser of splitmix64).
SXB_BENCH_HD inline std::uint64_t bench_hash(std::uint64_t index, std::uint64_t seed) {
  std::uint64_t z = index + seed * 0x9e3779b97f4a7c15ull + 0x9e3779b97f4a7c15ull;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
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
