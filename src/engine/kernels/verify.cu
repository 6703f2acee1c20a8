#include "engine/kernels/verify_pattern.h"

namespace sxb::kernels::cuda {
namespace {

constexpr int kThreads = 256;

/// Enough blocks to fill any GPU; each thread strides over the rest.
unsigned blocks_for(std::int64_t count) {
  constexpr std::int64_t kMaxBlocks = 4096;
  const std::int64_t blocks = (count + kThreads - 1) / kThreads;
  return static_cast<unsigned>(blocks < kMaxBlocks ? blocks : kMaxBlocks);
}

__device__ std::int64_t first_index() {
  return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ std::int64_t stride() { return static_cast<std::int64_t>(gridDim.x) * blockDim.x; }

template <typename T>
__global__ void fill(T* data, std::int64_t count, VerifyPlan plan, int rank, std::int64_t first) {
  for (std::int64_t i = first_index(); i < count; i += stride()) {
    data[i] = verify_narrow<T>(verify_value<T>(plan, rank, first + i));
  }
}

template <typename T>
__global__ void count_reduced(const T* data, std::int64_t count, VerifyPlan plan, std::int64_t first,
                              unsigned long long* wrong) {
  unsigned long long mine = 0;
  for (std::int64_t i = first_index(); i < count; i += stride()) {
    if (!verify_same_bits(data[i], verify_narrow<T>(verify_total<T>(plan, first + i)))) ++mine;
  }
  if (mine != 0) atomicAdd(wrong, mine);
}

template <typename T>
__global__ void count_copied(const T* data, std::int64_t count, VerifyPlan plan, int source,
                             std::int64_t first, unsigned long long* wrong) {
  unsigned long long mine = 0;
  for (std::int64_t i = first_index(); i < count; i += stride()) {
    if (!verify_same_bits(data[i], verify_narrow<T>(verify_value<T>(plan, source, first + i)))) ++mine;
  }
  if (mine != 0) atomicAdd(wrong, mine);
}

cudaStream_t as_stream(void* stream) { return static_cast<cudaStream_t>(stream); }

}  // namespace

int verify_fill(void* data, std::int64_t count, const VerifyPattern& pattern, int rank, std::int64_t first,
                void* stream) {
  if (count == 0) return cudaSuccess;
  verify_with_type(pattern.dtype, [&](auto zero) {
    using T = decltype(zero);
    fill<T><<<blocks_for(count), kThreads, 0, as_stream(stream)>>>(static_cast<T*>(data), count,
                                                                   verify_plan<T>(pattern), rank, first);
  });
  return cudaGetLastError();
}

int verify_reduced(const void* data, std::int64_t count, const VerifyPattern& pattern, std::int64_t first,
                   unsigned long long* wrong, void* stream) {
  if (count == 0) return cudaSuccess;
  verify_with_type(pattern.dtype, [&](auto zero) {
    using T = decltype(zero);
    count_reduced<T><<<blocks_for(count), kThreads, 0, as_stream(stream)>>>(
        static_cast<const T*>(data), count, verify_plan<T>(pattern), first, wrong);
  });
  return cudaGetLastError();
}

int verify_copied(const void* data, std::int64_t count, const VerifyPattern& pattern, int source,
                  std::int64_t first, unsigned long long* wrong, void* stream) {
  if (count == 0) return cudaSuccess;
  verify_with_type(pattern.dtype, [&](auto zero) {
    using T = decltype(zero);
    count_copied<T><<<blocks_for(count), kThreads, 0, as_stream(stream)>>>(
        static_cast<const T*>(data), count, verify_plan<T>(pattern), source, first, wrong);
  });
  return cudaGetLastError();
}

}  // namespace sxb::kernels::cuda
