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
__global__ void fill(T* data, std::int64_t count, VerifyPlan plan, int source, std::int64_t first) {
  for (std::int64_t i = first_index(); i < count; i += stride()) {
    data[i] = verify_element<T>(plan, source, first + i);
  }
}

template <typename T>
__global__ void count_wrong(const T* data, std::int64_t count, VerifyPlan plan, int source,
                            std::int64_t first, VerifyResult* result) {
  unsigned long long wrong = 0;
  const T* lowest = nullptr;
  for (std::int64_t i = first_index(); i < count; i += stride()) {
    if (verify_same_bits(data[i], verify_element<T>(plan, source, first + i))) continue;
    if (wrong++ == 0) lowest = data + i;
  }
  if (wrong == 0) return;
  atomicAdd(&result->wrong, wrong);
  atomicMin(&result->first, reinterpret_cast<unsigned long long>(lowest));
}

cudaStream_t as_stream(void* stream) { return static_cast<cudaStream_t>(stream); }

}  // namespace

int verify_fill(void* data, std::int64_t count, const VerifyPattern& pattern, int source, std::int64_t first,
                void* stream) {
  if (count == 0) return cudaSuccess;
  verify_with_type(pattern.dtype, [&](auto zero) {
    using T = decltype(zero);
    fill<T><<<blocks_for(count), kThreads, 0, as_stream(stream)>>>(static_cast<T*>(data), count,
                                                                   verify_plan<T>(pattern), source, first);
  });
  return cudaGetLastError();
}

int verify_count(const void* data, std::int64_t count, const VerifyPattern& pattern, int source,
                 std::int64_t first, VerifyResult* result, void* stream) {
  if (count == 0) return cudaSuccess;
  verify_with_type(pattern.dtype, [&](auto zero) {
    using T = decltype(zero);
    count_wrong<T><<<blocks_for(count), kThreads, 0, as_stream(stream)>>>(
        static_cast<const T*>(data), count, verify_plan<T>(pattern), source, first, result);
  });
  return cudaGetLastError();
}

}  // namespace sxb::kernels::cuda
