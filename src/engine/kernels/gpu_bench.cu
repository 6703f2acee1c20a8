#include "engine/kernels/gpu_bench.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include "engine/kernels/bench_pattern.h"

namespace sxb::kernels::cuda {
namespace {

using i64 = std::int64_t;
constexpr int kThreads = 256;

cudaStream_t as_stream(void* stream) { return static_cast<cudaStream_t>(stream); }

/// Enough blocks to fill any GPU; each thread strides over the rest.
unsigned blocks_for(i64 items) {
  constexpr i64 kMaxBlocks = 1 << 16;
  const i64 blocks = (items + kThreads - 1) / kThreads;
  return static_cast<unsigned>(blocks < 1 ? 1 : blocks < kMaxBlocks ? blocks : kMaxBlocks);
}

__device__ i64 first_index() { return static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ i64 stride() { return static_cast<i64>(gridDim.x) * blockDim.x; }

__device__ void add_wrong(unsigned long long mine, unsigned long long* wrong) {
  if (mine != 0) atomicAdd(wrong, mine);
}

__device__ uint4 pattern_at(i64 vector, std::uint64_t seed) {
  const auto first = static_cast<std::uint64_t>(vector) * 2;
  const std::uint64_t a = bench_hash(first, seed), b = bench_hash(first + 1, seed);
  return {static_cast<unsigned>(a), static_cast<unsigned>(a >> 32), static_cast<unsigned>(b),
          static_cast<unsigned>(b >> 32)};
}

__device__ unsigned differing(uint4 a, uint4 b) {
  return (a.x != b.x) + (a.y != b.y) + (a.z != b.z) + (a.w != b.w);
}

__global__ void fill_pattern(uint4* data, i64 vectors, std::uint64_t seed) {
  for (i64 i = first_index(); i < vectors; i += stride()) data[i] = pattern_at(i, seed);
}

__global__ void check_pattern(const uint4* data, i64 vectors, std::uint64_t seed, unsigned long long* wrong) {
  unsigned long long mine = 0;
  for (i64 i = first_index(); i < vectors; i += stride()) mine += differing(data[i], pattern_at(i, seed));
  add_wrong(mine, wrong);
}

__device__ float normal_at(i64 i, std::uint64_t seed) {
  const std::uint64_t bits = bench_hash(static_cast<std::uint64_t>(i), seed);
  // (0, 1]: the logarithm wants no zero.
  const float u = (static_cast<float>(static_cast<unsigned>(bits)) + 1.0f) * 0x1p-32f;
  const float v = static_cast<float>(static_cast<unsigned>(bits >> 32)) * 0x1p-32f;
  return sqrtf(-2.0f * logf(u)) * cospif(2.0f * v);
}

template <typename T>
__global__ void fill_normal(T* data, i64 count, std::uint64_t seed, float scale) {
  for (i64 i = first_index(); i < count; i += stride()) data[i] = static_cast<T>(normal_at(i, seed) * scale);
}

/// Calls f with a value of the type.
template <typename F>
void with_element(Element type, const F& f) {
  switch (type) {
    case Element::kBf16:
      return f(__nv_bfloat16());
    case Element::kFp16:
      return f(__half());
    case Element::kFp8E4m3:
      return f(__nv_fp8_e4m3());
    case Element::kFp32:
      return f(float());
    case Element::kFp64:
      return f(double());
  }
}

template <typename T>
__device__ double as_double(T value) {
  return static_cast<double>(static_cast<float>(value));
}
template <>
__device__ double as_double<double>(double value) {
  return value;
}

/// One vector a thread: on H200 4,260 GB/s, more than any unrolled, persistent or bulk copy that was tried
/// (2,990 to 4,120), and than the copy engine (4,240).
__global__ void __launch_bounds__(kThreads)
    copy_kernel(uint4* __restrict__ to, const uint4* __restrict__ from, i64 vectors) {
  const i64 i = static_cast<i64>(blockIdx.x) * kThreads + threadIdx.x;
  if (i < vectors) to[i] = from[i];
}

__device__ float4 triad(float4 b, float4 c, float s) {
  return {fmaf(s, c.x, b.x), fmaf(s, c.y, b.y), fmaf(s, c.z, b.z), fmaf(s, c.w, b.w)};
}

__global__ void __launch_bounds__(kThreads) triad_kernel(float4* __restrict__ a, const float4* __restrict__ b,
                                                         const float4* __restrict__ c, float s, i64 vectors) {
  const i64 i = static_cast<i64>(blockIdx.x) * kThreads + threadIdx.x;
  if (i < vectors) a[i] = triad(b[i], c[i], s);
}

__global__ void check_triad(const float* a, const float* b, const float* c, float s, i64 count,
                            unsigned long long* wrong) {
  unsigned long long mine = 0;
  for (i64 i = first_index(); i < count; i += stride()) {
    mine += __float_as_uint(a[i]) != __float_as_uint(fmaf(s, c[i], b[i]));
  }
  add_wrong(mine, wrong);
}

// Each thread takes kUnroll vectors, a block's width apart: enough bytes in flight to keep the memory busy.
constexpr int kUnroll = 4;

__global__ void __launch_bounds__(kThreads)
    read_kernel(const uint4* __restrict__ from, i64 vectors, unsigned* out) {
  const i64 base = static_cast<i64>(blockIdx.x) * kThreads * kUnroll + threadIdx.x;
  unsigned mine = 0;
#pragma unroll
  for (int i = 0; i < kUnroll; ++i) {
    const i64 at = base + i * kThreads;
    if (at >= vectors) continue;
    const uint4 v = __ldcs(from + at);
    mine ^= v.x ^ v.y ^ v.z ^ v.w;
  }
  __shared__ unsigned parts[kThreads / 32];
  mine = __reduce_xor_sync(0xffffffffu, mine);
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = mine;
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (int i = 1; i < kThreads / 32; ++i) mine ^= parts[i];
  atomicXor(out + blockIdx.x % kReadSlots, mine);
}

__global__ void __launch_bounds__(kThreads) write_kernel(uint4* __restrict__ to, i64 vectors, unsigned word) {
  const i64 base = static_cast<i64>(blockIdx.x) * kThreads * kUnroll + threadIdx.x;
#pragma unroll
  for (int i = 0; i < kUnroll; ++i) {
    const i64 at = base + i * kThreads;
    if (at < vectors) __stcs(to + at, uint4{word, word, word, word});
  }
}

__global__ void check_word(const uint4* data, i64 vectors, unsigned word, unsigned long long* wrong) {
  unsigned long long mine = 0;
  const uint4 expected = {word, word, word, word};
  for (i64 i = first_index(); i < vectors; i += stride()) mine += differing(data[i], expected);
  add_wrong(mine, wrong);
}

__global__ void gate_kernel(const volatile int* flag) {
  while (*flag == 0) __nanosleep(100);
}

__global__ void empty_kernel() {}

constexpr i64 kChaseStride = 128;
/// Odd, so that with a power of two of nodes every one is visited.
constexpr i64 kChaseJump = 1'000'003;

__global__ void fill_chase(char* base, i64 nodes) {
  for (i64 i = first_index(); i < nodes; i += stride()) {
    *reinterpret_cast<void**>(base + i * kChaseStride) = base + (i + kChaseJump) % nodes * kChaseStride;
  }
}

__global__ void chase_kernel(const void* base, i64 steps, unsigned block, void** out) {
  if (blockIdx.x != block) return;
  auto p = reinterpret_cast<void* const volatile*>(base);
  for (i64 i = 0; i < steps; ++i) p = reinterpret_cast<void* const volatile*>(*p);
  *out = const_cast<void*>(reinterpret_cast<const volatile void*>(p));
}

/// One warp for each element.
template <typename In, typename Out>
__global__ void check_product(const Out* y, const In* x, const In* w, ProductCheck c,
                              unsigned long long* wrong) {
  const i64 warps = stride() / 32;
  const int lane = threadIdx.x % 32;
  unsigned long long mine = 0;
  for (i64 i = first_index() / 32; i < c.rows * c.N; i += warps) {
    const i64 row = i / c.N * c.M / c.rows, column = i % c.N;
    double exact = 0, absolute = 0;
    for (i64 k = lane; k < c.K; k += 32) {
      const double product = as_double(x[row * c.K + k]) * as_double(w[column * c.K + k]);
      exact += product;
      absolute += fabs(product);
    }
    for (int offset = 16; offset > 0; offset /= 2) {
      exact += __shfl_xor_sync(0xffffffffu, exact, offset);
      absolute += __shfl_xor_sync(0xffffffffu, absolute, offset);
    }
    const double error = fabs(as_double(y[row * c.N + column]) - exact * c.scale);
    // A result that is not a number is wrong too: the comparison is the other way round.
    if (lane == 0 && !(error <= c.out_eps * fabs(exact * c.scale) + c.sum_eps * c.scale * absolute)) ++mine;
  }
  add_wrong(mine, wrong);
}

__global__ void compare_kernel(const uint4* expected, const uint4* found, i64 vectors,
                               unsigned long long result, Mismatch* mismatch) {
  for (i64 i = first_index(); i < vectors; i += stride()) {
    const uint4 e = expected[i], f = found[i];
    const unsigned n = differing(e, f);
    if (n == 0) continue;
    if (atomicAdd(&mismatch->count, static_cast<unsigned long long>(n)) != 0) continue;
    const unsigned a[4] = {e.x, e.y, e.z, e.w}, b[4] = {f.x, f.y, f.z, f.w};
    for (int k = 3; k >= 0; --k) {
      if (a[k] == b[k]) continue;
      mismatch->result = result;
      mismatch->offset = static_cast<unsigned long long>(i) * 4 + k;
      mismatch->expected = a[k];
      mismatch->found = b[k];
    }
  }
}

__global__ void flip_kernel(unsigned* word) { *word ^= 1u << 13; }

/// Blocks of a kernel whose threads take `unroll` vectors each and do not stride.
unsigned covering(i64 vectors, int unroll) {
  const i64 per_block = static_cast<i64>(kThreads) * unroll;
  return static_cast<unsigned>((vectors + per_block - 1) / per_block);
}

constexpr i64 kVector = sizeof(uint4);

}  // namespace

int pattern_fill(void* data, i64 bytes, std::uint64_t seed, void* stream) {
  fill_pattern<<<blocks_for(bytes / kVector), kThreads, 0, as_stream(stream)>>>(static_cast<uint4*>(data),
                                                                                bytes / kVector, seed);
  return cudaGetLastError();
}

int pattern_check(const void* data, i64 bytes, std::uint64_t seed, unsigned long long* wrong, void* stream) {
  check_pattern<<<blocks_for(bytes / kVector), kThreads, 0, as_stream(stream)>>>(
      static_cast<const uint4*>(data), bytes / kVector, seed, wrong);
  return cudaGetLastError();
}

int normal_fill(void* data, Element type, i64 count, std::uint64_t seed, float scale, void* stream) {
  with_element(type, [&](auto zero) {
    using T = decltype(zero);
    fill_normal<<<blocks_for(count), kThreads, 0, as_stream(stream)>>>(static_cast<T*>(data), count, seed,
                                                                       scale);
  });
  return cudaGetLastError();
}

int memory_copy(void* to, const void* from, i64 bytes, void* stream) {
  const i64 vectors = bytes / kVector;
  copy_kernel<<<covering(vectors, 1), kThreads, 0, as_stream(stream)>>>(
      static_cast<uint4*>(to), static_cast<const uint4*>(from), vectors);
  return cudaGetLastError();
}

int memory_triad(float* a, const float* b, const float* c, float scalar, i64 count, void* stream) {
  const i64 vectors = count / 4;
  triad_kernel<<<covering(vectors, 1), kThreads, 0, as_stream(stream)>>>(
      reinterpret_cast<float4*>(a), reinterpret_cast<const float4*>(b), reinterpret_cast<const float4*>(c),
      scalar, vectors);
  return cudaGetLastError();
}

int triad_check(const float* a, const float* b, const float* c, float scalar, i64 count,
                unsigned long long* wrong, void* stream) {
  check_triad<<<blocks_for(count), kThreads, 0, as_stream(stream)>>>(a, b, c, scalar, count, wrong);
  return cudaGetLastError();
}

int memory_read(const void* from, i64 bytes, unsigned* out, void* stream) {
  const i64 vectors = bytes / kVector;
  read_kernel<<<covering(vectors, kUnroll), kThreads, 0, as_stream(stream)>>>(static_cast<const uint4*>(from),
                                                                              vectors, out);
  return cudaGetLastError();
}

int memory_write(void* to, i64 bytes, unsigned word, void* stream) {
  const i64 vectors = bytes / kVector;
  write_kernel<<<covering(vectors, kUnroll), kThreads, 0, as_stream(stream)>>>(static_cast<uint4*>(to),
                                                                               vectors, word);
  return cudaGetLastError();
}

int word_check(const void* data, i64 bytes, unsigned word, unsigned long long* wrong, void* stream) {
  check_word<<<blocks_for(bytes / kVector), kThreads, 0, as_stream(stream)>>>(static_cast<const uint4*>(data),
                                                                              bytes / kVector, word, wrong);
  return cudaGetLastError();
}

int gate(const volatile int* flag, void* stream) {
  gate_kernel<<<1, 1, 0, as_stream(stream)>>>(flag);
  return cudaGetLastError();
}

int empty(void* stream) {
  empty_kernel<<<1, 1, 0, as_stream(stream)>>>();
  return cudaGetLastError();
}

int chase_fill(void* base, i64 bytes, void* stream) {
  const i64 nodes = bytes / kChaseStride;
  fill_chase<<<blocks_for(nodes), kThreads, 0, as_stream(stream)>>>(static_cast<char*>(base), nodes);
  return cudaGetLastError();
}

int chase(const void* base, i64 steps, unsigned block, unsigned blocks, void** out, void* stream) {
  chase_kernel<<<blocks, 1, 0, as_stream(stream)>>>(base, steps, block, out);
  return cudaGetLastError();
}

void* chase_end(void* base, i64 bytes, i64 steps) {
  const i64 nodes = bytes / kChaseStride;
  return static_cast<char*>(base) + steps % nodes * (kChaseJump % nodes) % nodes * kChaseStride;
}

int product_check(const ProductCheck& check, unsigned long long* wrong, void* stream) {
  with_element(check.in, [&](auto in) {
    with_element(check.out, [&](auto out) {
      using In = decltype(in);
      using Out = decltype(out);
      check_product<<<blocks_for(check.rows * check.N * 32), kThreads, 0, as_stream(stream)>>>(
          static_cast<const Out*>(check.y), static_cast<const In*>(check.x), static_cast<const In*>(check.w),
          check, wrong);
    });
  });
  return cudaGetLastError();
}

int compare(const void* expected, const void* found, i64 bytes, unsigned long long result, Mismatch* mismatch,
            void* stream) {
  // Few blocks: the comparison runs beside the products of other streams, and must leave them their
  // multiprocessors.
  constexpr unsigned kBlocks = 512;
  compare_kernel<<<kBlocks, kThreads, 0, as_stream(stream)>>>(static_cast<const uint4*>(expected),
                                                              static_cast<const uint4*>(found),
                                                              bytes / kVector, result, mismatch);
  return cudaGetLastError();
}

int flip_bit(void* data, i64 word, void* stream) {
  flip_kernel<<<1, 1, 0, as_stream(stream)>>>(static_cast<unsigned*>(data) + word);
  return cudaGetLastError();
}

}  // namespace sxb::kernels::cuda
