// What the engine cannot do, in one place: plan::validate() refuses it before anything starts, the readers of
// a rank's task have the same bounds, and the engine takes it for granted (it throws where a plan breaks it).
// Nothing is included but <cstdint>, so that kernels can use it.
#pragma once

#include <cstdint>

namespace sxb::limits {

// ---- Training on GPUs, which is BF16: cuDNN's and Flash Attention's kernels have no FP32 -----------------

/// Kernels load 16 bytes at a time: hidden, ffn, vocab and half a head (the pairs of the rotary embedding,
/// engine/kernels/rope.cu) are whole vectors.
inline constexpr std::int64_t kVectorElements = 8;
inline constexpr std::int64_t kHeadSizeStep = 2 * kVectorElements;
/// The attention libraries end there. rope.cu ends at 4096: a block of 256 threads, a vector of half a head
/// each.
inline constexpr std::int64_t kMaxHeadSize = 256;
/// RMSNorm (engine/kernels/rmsnorm.cu) keeps a row in the registers of a block: 512 threads with 8 vectors
/// each, 16384 elements of FP32 and twice as many of BF16.
inline constexpr std::int64_t kMaxHidden = 16384;

// ---- Sweeps: far above what memory holds and low enough that sums and products stay below 2^63 ------------

inline constexpr std::int64_t kMaxSweepBytes = std::int64_t{1} << 46;
inline constexpr int kMaxIterations = 1'000'000;
inline constexpr int kMaxRanks = 1 << 20;

}  // namespace sxb::limits
