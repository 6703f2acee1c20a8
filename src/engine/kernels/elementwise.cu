// SwiGLU, embedding lookup, weight initialisation.
#include "engine/kernels/vector.cuh"

namespace sxb::kernels::cuda {
namespace {

constexpr int kThreads = 256;

template <typename T>
__global__ void __launch_bounds__(kThreads) swiglu_forward_kernel(T* out, const T* gate_up, i64 vectors, int F) {
  constexpr int N = kVector<T>;
  const i64 item = static_cast<i64>(blockIdx.x) * kThreads + threadIdx.x;
  if (item >= vectors) return;
  const int per_row = F / N;
  const i64 t = item / per_row;
  const int i = static_cast<int>(item % per_row) * N;
  float gate[N];
  float up[N];
  load<T>(gate, gate_up + t * 2 * F + i);
  load<T>(up, gate_up + t * 2 * F + F + i);
#pragma unroll
  for (int j = 0; j < N; ++j) {
    const float sigmoid = 1.0f / (1.0f + __expf(-gate[j]));
    up[j] *= gate[j] * sigmoid;  // as the backward pass computes it again
  }
  store<T>(out + t * F + i, up);
}

template <typename T>
__global__ void __launch_bounds__(kThreads) swiglu_backward_kernel(T* gate_up, T* dout, bool restore, i64 vectors,
                                                                   int F) {
  constexpr int N = kVector<T>;
  const i64 item = static_cast<i64>(blockIdx.x) * kThreads + threadIdx.x;
  if (item >= vectors) return;
  const int per_row = F / N;
  const i64 t = item / per_row;
  const int i = static_cast<int>(item % per_row) * N;
  float gate[N];
  float up[N];
  float g[N];
  load<T>(gate, gate_up + t * 2 * F + i);
  load<T>(up, gate_up + t * 2 * F + F + i);
  load<T>(g, dout + t * F + i);
#pragma unroll
  for (int j = 0; j < N; ++j) {
    const float sigmoid = 1.0f / (1.0f + __expf(-gate[j]));
    const float silu = gate[j] * sigmoid;
    const float dgate = g[j] * up[j] * sigmoid * (1.0f + gate[j] * (1.0f - sigmoid));
    const float dup = g[j] * silu;
    g[j] = up[j] * silu;
    gate[j] = dgate;
    up[j] = dup;
  }
  store<T>(gate_up + t * 2 * F + i, gate);
  store<T>(gate_up + t * 2 * F + F + i, up);
  if (restore) store<T>(dout + t * F + i, g);
}

template <typename T>
__global__ void __launch_bounds__(kThreads) embedding_kernel(T* out, const T* table, const int* token, int D) {
  constexpr int N = kVector<T>;
  const i64 from = static_cast<i64>(token[blockIdx.x]) * D;
  const i64 to = static_cast<i64>(blockIdx.x) * D;
  for (int i = threadIdx.x * N; i < D; i += kThreads * N) {
    *reinterpret_cast<uint4*>(out + to + i) = *reinterpret_cast<const uint4*>(table + from + i);
  }
}

__device__ inline std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

__global__ void __launch_bounds__(kThreads) init_kernel(float* out, std::uint64_t seed, std::uint64_t first, float std,
                                                        i64 n) {
  const i64 i = static_cast<i64>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= n) return;
  const std::uint64_t bits = mix(mix(seed) ^ (first + static_cast<std::uint64_t>(i)));
  const double u = (static_cast<double>(bits >> 40) + 1.0) / 16777216.0;
  const double w = static_cast<double>((bits >> 8) & 0xffffff) / 16777216.0;
  out[i] = static_cast<float>(static_cast<double>(std) * sqrt(-2.0 * log(u)) * cospi(2.0 * w));
}

unsigned blocks_for(i64 items) { return static_cast<unsigned>((items + kThreads - 1) / kThreads); }

}  // namespace

void swiglu_forward(Type type, void* out, const void* gate_up, i64 T_rows, i64 F, Stream stream) {
  SXB_DISPATCH(type, T, {
    const i64 vectors = T_rows * F / kVector<T>;
    swiglu_forward_kernel<T><<<blocks_for(vectors), kThreads, 0, stream_of(stream)>>>(
        static_cast<T*>(out), static_cast<const T*>(gate_up), vectors, static_cast<int>(F));
  });
  check_launch("swiglu_forward");
}

void swiglu_backward(Type type, void* gate_up, void* dout, bool restore, i64 T_rows, i64 F, Stream stream) {
  SXB_DISPATCH(type, T, {
    const i64 vectors = T_rows * F / kVector<T>;
    swiglu_backward_kernel<T><<<blocks_for(vectors), kThreads, 0, stream_of(stream)>>>(
        static_cast<T*>(gate_up), static_cast<T*>(dout), restore, vectors, static_cast<int>(F));
  });
  check_launch("swiglu_backward");
}

void embedding_forward(Type type, void* out, const void* table, const std::int32_t* token, i64 T_rows, i64 D,
                       Stream stream) {
  SXB_DISPATCH(type, T, (embedding_kernel<T><<<static_cast<unsigned>(T_rows), kThreads, 0, stream_of(stream)>>>(
                            static_cast<T*>(out), static_cast<const T*>(table), token, static_cast<int>(D))));
  check_launch("embedding_forward");
}

void init_normal(float* out, std::uint64_t seed, std::uint64_t first, float std, i64 n, Stream stream) {
  if (n == 0) return;
  init_kernel<<<blocks_for(n), kThreads, 0, stream_of(stream)>>>(out, seed, first, std, n);
  check_launch("init_normal");
}

}  // namespace sxb::kernels::cuda
