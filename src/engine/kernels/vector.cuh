// 16-byte vector access and warp/block reductions shared by the kernels. Arithmetic is in float,
// whatever the type of the data.
#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <cstdint>

#include "engine/kernels/kernels.h"

namespace sxb::kernels::cuda {

using i64 = std::int64_t;
using bf16 = __nv_bfloat16;

/// Elements of T that one 16-byte access moves.
template <typename T>
inline constexpr int kVector = 16 / sizeof(T);

/// One vector as it lies in memory.
using Raw = uint4;

template <typename T>
__device__ inline Raw load_raw(const T* p) {
  return *reinterpret_cast<const Raw*>(p);
}
template <typename T>
__device__ inline void store_raw(T* p, Raw raw) {
  *reinterpret_cast<Raw*>(p) = raw;
}
/// For what is not needed again soon: it leaves the caches first, to those who come back.
template <typename T>
__device__ inline Raw load_once(const T* p) {
  return __ldcs(reinterpret_cast<const Raw*>(p));
}
template <typename T>
__device__ inline void store_once(T* p, Raw raw) {
  __stcs(reinterpret_cast<Raw*>(p), raw);
}

template <typename T>
__device__ inline void unpack(float (&v)[kVector<T>], Raw raw);
template <>
__device__ inline void unpack<float>(float (&v)[4], Raw raw) {
  v[0] = __uint_as_float(raw.x), v[1] = __uint_as_float(raw.y);
  v[2] = __uint_as_float(raw.z), v[3] = __uint_as_float(raw.w);
}
template <>
__device__ inline void unpack<bf16>(float (&v)[8], Raw raw) {
  const unsigned words[4] = {raw.x, raw.y, raw.z, raw.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    v[2 * i] = __uint_as_float(words[i] << 16);
    v[2 * i + 1] = __uint_as_float(words[i] & 0xffff0000u);
  }
}

template <typename T>
__device__ inline Raw pack(const float (&v)[kVector<T>]);
template <>
__device__ inline Raw pack<float>(const float (&v)[4]) {
  return {__float_as_uint(v[0]), __float_as_uint(v[1]), __float_as_uint(v[2]), __float_as_uint(v[3])};
}
template <>
__device__ inline Raw pack<bf16>(const float (&v)[8]) {
  Raw raw;
  __nv_bfloat162 pairs[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) pairs[i] = __floats2bfloat162_rn(v[2 * i], v[2 * i + 1]);
  memcpy(&raw, pairs, sizeof raw);
  return raw;
}

template <typename T>
__device__ inline void load(float (&v)[kVector<T>], const T* p) {
  unpack<T>(v, load_raw(p));
}
template <typename T>
__device__ inline void store(T* p, const float (&v)[kVector<T>]) {
  store_raw(p, pack<T>(v));
}

template <typename T>
__device__ inline float to_float(T v) {
  return static_cast<float>(v);
}

__device__ inline float warp_sum(float v) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) v += __shfl_xor_sync(0xffffffffu, v, offset);
  return v;
}
__device__ inline float warp_max(float v) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, offset));
  return v;
}

/// Sum over the block, known to every thread. `shared` holds one float per warp (32 in all).
__device__ inline float block_sum(float v, float* shared) {
  const int lane = threadIdx.x % 32;
  const int warp = threadIdx.x / 32;
  const int warps = (blockDim.x + 31) / 32;
  v = warp_sum(v);
  __syncthreads();  // shared may still be read from the previous reduction
  if (lane == 0) shared[warp] = v;
  __syncthreads();
  return warp_sum(lane < warps ? shared[lane] : 0.0f);
}
__device__ inline float block_max(float v, float* shared) {
  const int lane = threadIdx.x % 32;
  const int warp = threadIdx.x / 32;
  const int warps = (blockDim.x + 31) / 32;
  v = warp_max(v);
  __syncthreads();
  if (lane == 0) shared[warp] = v;
  __syncthreads();
  return warp_max(lane < warps ? shared[lane] : -INFINITY);
}

/// Throws std::runtime_error naming the kernel if its launch failed.
void check_launch(const char* kernel);

inline cudaStream_t stream_of(Stream stream) { return static_cast<cudaStream_t>(stream); }

}  // namespace sxb::kernels::cuda

/// Calls `f` with a value of the C++ type that `type` names: SXB_DISPATCH(type, T, kernel<T>(...)).
#define SXB_DISPATCH(type, T, ...)                   \
  do {                                               \
    if ((type) == ::sxb::kernels::Type::kBFloat16) { \
      using T = ::sxb::kernels::cuda::bf16;          \
      __VA_ARGS__;                                   \
    } else {                                         \
      using T = float;                               \
      __VA_ARGS__;                                   \
    }                                                \
  } while (false)
