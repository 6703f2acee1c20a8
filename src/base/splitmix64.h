// SplitMix64 (Steele, Lea, Flood 2014), the one mixer of 64 bits: counter-based random numbers that are the
// same on every rank, on the host and on the GPU. Free of everything else, so that CUDA kernels can include
// it.
#pragma once

#include <cstdint>

#ifdef __CUDACC__
#define SXB_SPLITMIX_HD __host__ __device__
#else
#define SXB_SPLITMIX_HD
#endif

namespace sxb {

/// The increment: 2^64 / golden ratio.
inline constexpr std::uint64_t kSplitMix64Gamma = 0x9e3779b97f4a7c15ULL;

/// The finaliser alone, a bijection: every input bit moves every output bit.
SXB_SPLITMIX_HD constexpr std::uint64_t splitmix64_finalise(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

/// The generator's output for state `x`: increment, then finaliser.
SXB_SPLITMIX_HD constexpr std::uint64_t splitmix64(std::uint64_t x) {
  return splitmix64_finalise(x + kSplitMix64Gamma);
}

}  // namespace sxb

#undef SXB_SPLITMIX_HD
