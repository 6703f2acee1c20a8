// SwiGLU, embedding lookup, weight initialisation.
#include "base/splitmix64.h"
#include "engine/kernels/vector.cuh"

namespace sxb::kernels::cuda {
namespace {

constexpr int kThreads = 256;

/// Both intrinsics err by about 2 ulp; far below the rounding of the result to BF16.
__device__ inline float sigmoid(float x) { return __fdividef(1.0f, 1.0f + __expf(-x)); }

/// Vectors of one row per thread of the SwiGLU kernels. A block takes a piece of one row (grid: tokens x
/// pieces): no division to find its place.
constexpr int kPerThread = 2;

template <typename T>
__global__ void __launch_bounds__(kThreads)
    swiglu_forward_kernel(T* __restrict__ out, const T* __restrict__ gate_up, int F) {
  constexpr int N = kVector<T>;
  const i64 t = blockIdx.x;
  const int first =
      (static_cast<int>(blockIdx.y) * kThreads * kPerThread + static_cast<int>(threadIdx.x)) * N;
  Raw gates[kPerThread];
  Raw ups[kPerThread];
#pragma unroll
  for (int k = 0; k < kPerThread; ++k) {
    const int i = first + k * kThreads * N;
    if (i >= F) continue;
    gates[k] = load_once(gate_up + t * 2 * F + i);
    ups[k] = load_once(gate_up + t * 2 * F + F + i);
  }
#pragma unroll
  for (int k = 0; k < kPerThread; ++k) {
    const int i = first + k * kThreads * N;
    if (i >= F) continue;
    float gate[N];
    float up[N];
    unpack<T>(gate, gates[k]);
    unpack<T>(up, ups[k]);
#pragma unroll
    for (int j = 0; j < N; ++j)
      up[j] *= gate[j] * sigmoid(gate[j]);  // as the backward pass computes it again
    store<T>(out + t * F + i, up);
  }
}

template <typename T, bool kRestore>
__global__ void __launch_bounds__(kThreads) swiglu_backward_kernel(T* gate_up, T* dout, int F) {
  constexpr int N = kVector<T>;
  const i64 t = blockIdx.x;
  const int first =
      (static_cast<int>(blockIdx.y) * kThreads * kPerThread + static_cast<int>(threadIdx.x)) * N;
  Raw gates[kPerThread];
  Raw ups[kPerThread];
  Raw grads[kPerThread];
#pragma unroll
  for (int k = 0; k < kPerThread; ++k) {
    const int i = first + k * kThreads * N;
    if (i >= F) continue;
    gates[k] = load_once(gate_up + t * 2 * F + i);
    ups[k] = load_once(gate_up + t * 2 * F + F + i);
    grads[k] = load_once(dout + t * F + i);
  }
#pragma unroll
  for (int k = 0; k < kPerThread; ++k) {
    const int i = first + k * kThreads * N;
    if (i >= F) continue;
    float gate[N];
    float up[N];
    float g[N];
    unpack<T>(gate, gates[k]);
    unpack<T>(up, ups[k]);
    unpack<T>(g, grads[k]);
#pragma unroll
    for (int j = 0; j < N; ++j) {
      const float s = sigmoid(gate[j]);
      const float silu = gate[j] * s;
      const float dgate = g[j] * up[j] * s * (1.0f + gate[j] * (1.0f - s));
      const float dup = g[j] * silu;
      g[j] = up[j] * silu;
      gate[j] = dgate;
      up[j] = dup;
    }
    store<T>(gate_up + t * 2 * F + i, gate);
    store<T>(gate_up + t * 2 * F + F + i, up);
    if (kRestore) store<T>(dout + t * F + i, g);
  }
}

template <typename T>
__global__ void __launch_bounds__(kThreads)
    embedding_kernel(T* out, const T* table, const int* token, int D) {
  constexpr int N = kVector<T>;
  const i64 from = static_cast<i64>(token[blockIdx.x]) * D;
  const i64 to = static_cast<i64>(blockIdx.x) * D;
  for (int i = threadIdx.x * N; i < D; i += kThreads * N) {
    *reinterpret_cast<uint4*>(out + to + i) = *reinterpret_cast<const uint4*>(table + from + i);
  }
}

__global__ void __launch_bounds__(kThreads)
    init_kernel(float* out, std::uint64_t seed, std::uint64_t first, float std, i64 n) {
  const i64 i = static_cast<i64>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= n) return;
  const std::uint64_t bits = splitmix64(splitmix64(seed) ^ (first + static_cast<std::uint64_t>(i)));
  const double u = (static_cast<double>(bits >> 40) + 1.0) / 16777216.0;
  const double w = static_cast<double>((bits >> 8) & 0xffffff) / 16777216.0;
  out[i] = static_cast<float>(static_cast<double>(std) * sqrt(-2.0 * log(u)) * cospi(2.0 * w));
}

template <typename T>
dim3 swiglu_grid(i64 T_rows, i64 F) {
  constexpr i64 kPiece = kThreads * kPerThread * kVector<T>;
  return dim3(static_cast<unsigned>(T_rows), static_cast<unsigned>((F + kPiece - 1) / kPiece));
}
unsigned blocks_for(i64 items) { return static_cast<unsigned>((items + kThreads - 1) / kThreads); }

}  // namespace

void swiglu_forward(Type type, void* out, const void* gate_up, i64 T_rows, i64 F, Stream stream) {
  SXB_DISPATCH(type, T,
               (swiglu_forward_kernel<T><<<swiglu_grid<T>(T_rows, F), kThreads, 0, stream_of(stream)>>>(
                   static_cast<T*>(out), static_cast<const T*>(gate_up), static_cast<int>(F))));
  check_launch("swiglu_forward");
}

void swiglu_backward(Type type, void* gate_up, void* dout, bool restore, i64 T_rows, i64 F, Stream stream) {
  SXB_DISPATCH(type, T, {
    const auto kernel = restore ? swiglu_backward_kernel<T, true> : swiglu_backward_kernel<T, false>;
    kernel<<<swiglu_grid<T>(T_rows, F), kThreads, 0, stream_of(stream)>>>(
        static_cast<T*>(gate_up), static_cast<T*>(dout), static_cast<int>(F));
  });
  check_launch("swiglu_backward");
}

void embedding_forward(Type type, void* out, const void* table, const std::int32_t* token, i64 T_rows, i64 D,
                       Stream stream) {
  SXB_DISPATCH(type, T,
               (embedding_kernel<T><<<static_cast<unsigned>(T_rows), kThreads, 0, stream_of(stream)>>>(
                   static_cast<T*>(out), static_cast<const T*>(table), token, static_cast<int>(D))));
  check_launch("embedding_forward");
}

void init_normal(float* out, std::uint64_t seed, std::uint64_t first, float std, i64 n, Stream stream) {
  if (n == 0) return;
  init_kernel<<<blocks_for(n), kThreads, 0, stream_of(stream)>>>(out, seed, first, std, n);
  check_launch("init_normal");
}

}  // namespace sxb::kernels::cuda
