// Kernels of the GPU micro-benchmarks. Launchers return cudaError_t as int: this header knows no CUDA.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sxb::kernels::cuda {

/// Types of matrix elements.
enum class Element { kBf16, kFp16, kFp8E4m3, kFp32, kFp64 };

// Patterns: a hash of (index, seed), the same on the GPU and the host.
/// 16-byte words; `bytes` is a multiple of 16.
int pattern_fill(void* data, std::int64_t bytes, std::uint64_t seed, void* stream);
/// Adds the 4-byte words that differ from the pattern.
int pattern_check(const void* data, std::int64_t bytes, std::uint64_t seed, unsigned long long* wrong,
                  void* stream);

/// Standard normal values (Box-Muller on a hash of the index and `seed`), times `scale`. Data with all bits
/// in play: the power that a GPU draws, and so its clock, depends on them.
int normal_fill(void* data, Element type, std::int64_t count, std::uint64_t seed, float scale, void* stream);

// Memory: every kernel moves 16 bytes per access; `bytes` is a multiple of 16 and pointers are aligned to it.
int memory_copy(void* to, const void* from, std::int64_t bytes, void* stream);
/// a = b + scalar * c in FP32.
int memory_triad(float* a, const float* b, const float* c, float scalar, std::int64_t count, void* stream);
/// Adds the elements of `a` that are not b + scalar * c.
int triad_check(const float* a, const float* b, const float* c, float scalar, std::int64_t count,
                unsigned long long* wrong, void* stream);
/// The XOR of the kReadSlots words at `out` changes by that of all 4-byte words: one word would be a queue
/// for all blocks.
inline constexpr int kReadSlots = 1024;
int memory_read(const void* from, std::int64_t bytes, unsigned* out, void* stream);
int memory_write(void* to, std::int64_t bytes, unsigned word, void* stream);
/// Adds the 4-byte words that are not `word`.
int word_check(const void* data, std::int64_t bytes, unsigned word, unsigned long long* wrong, void* stream);

/// One thread that ends when *flag (host memory) is not 0: what is queued behind it starts at once, with no
/// launch of its own in the time.
int gate(const volatile int* flag, void* stream);
int empty(void* stream);

/// A ring of pointers through `bytes` at `base`, one every 128 bytes, in an order that no prefetcher guesses.
int chase_fill(void* base, std::int64_t bytes, void* stream);
/// Follows `steps` of them from `base` with one thread, that of grid block `block` of `blocks`; *out is the
/// last pointer.
int chase(const void* base, std::int64_t steps, unsigned block, unsigned blocks, void** out, void* stream);
/// Where it gets to.
void* chase_end(void* base, std::int64_t bytes, std::int64_t steps);

/// y (M, N) = x (M, K) w (N, K)^T, row-major: compares `rows` rows of y, evenly spread, with products in
/// FP64. Counts elements with |y - exact * scale| > out_eps * |exact * scale| + sum_eps * scale * sum |x w|.
struct ProductCheck {
  const void* y;
  const void* x;
  const void* w;
  Element out, in;
  std::int64_t M, N, K;
  std::int64_t rows;
  double scale, out_eps, sum_eps;
};
int product_check(const ProductCheck& check, unsigned long long* wrong, void* stream);

/// What was the first to differ.
struct Mismatch {
  unsigned long long count;   ///< elements, all results
  unsigned long long result;  ///< of the first seen: which result
  unsigned long long offset;  ///< which 4-byte word of it
  unsigned expected, found;
};
/// Compares 4-byte words; `result` is noted with the first mismatch.
int compare(const void* expected, const void* found, std::int64_t bytes, unsigned long long result,
            Mismatch* mismatch, void* stream);
/// Flips one bit: how tests see that a mismatch is found.
int flip_bit(void* data, std::int64_t word, void* stream);

}  // namespace sxb::kernels::cuda
