// Rotary position embedding (Su et al. 2021), Hugging Face's pairing (i, i + d/2), on the fused
// q|k|v rows; the backward gathers the attention library's dq, dk, dv into one row on the way.
#include "engine/kernels/vector.cuh"

namespace sxb::kernels::cuda {
namespace {

constexpr int kThreads = 256;

/// Rotates one vector of pairs: a = x[i..], b = x[i + d/2..].
template <int N>
__device__ inline void rotate(float (&a)[N], float (&b)[N], const float* cos_sin, float direction) {
#pragma unroll
  for (int j = 0; j < N; ++j) {
    const float c = cos_sin[2 * j];
    const float s = cos_sin[2 * j + 1] * direction;
    const float x = a[j];
    a[j] = x * c - b[j] * s;
    b[j] = b[j] * c + x * s;
  }
}

/// One thread per vector of d/2 elements of one q or k head.
template <typename T>
__global__ void __launch_bounds__(kThreads) forward_kernel(T* qkv, const int* position, const float* table, i64 items,
                                                           int heads, i64 width, int d) {
  constexpr int N = kVector<T>;
  const i64 item = static_cast<i64>(blockIdx.x) * kThreads + threadIdx.x;
  if (item >= items) return;
  const int half = d / 2;
  const int vectors = half / N;
  const int i = static_cast<int>(item % vectors) * N;
  const int h = static_cast<int>(item / vectors % heads);
  const i64 t = item / vectors / heads;
  T* p = qkv + t * width + static_cast<i64>(h) * d + i;
  float a[N];
  float b[N];
  load<T>(a, p);
  load<T>(b, p + half);
  rotate(a, b, table + static_cast<i64>(position[t]) * d + 2 * i, 1.0f);
  store<T>(p, a);
  store<T>(p + half, b);
}

struct Sources {
  Strided q, k, v;
};

template <typename T>
__global__ void __launch_bounds__(kThreads) backward_kernel(T* dqkv, Sources from, const int* position,
                                                            const float* table, i64 items, i64 S, int H, int K,
                                                            int d) {
  constexpr int N = kVector<T>;
  const i64 item = static_cast<i64>(blockIdx.x) * kThreads + threadIdx.x;
  if (item >= items) return;
  const int half = d / 2;
  const int vectors = half / N;
  const int heads = H + 2 * K;
  const int i = static_cast<int>(item % vectors) * N;
  const int h = static_cast<int>(item / vectors % heads);
  const i64 t = item / vectors / heads;
  const bool is_q = h < H;
  const bool is_k = !is_q && h < H + K;
  const Strided& source = is_q ? from.q : is_k ? from.k : from.v;
  const int head = is_q ? h : is_k ? h - H : h - H - K;
  const T* p = static_cast<const T*>(source.data) + t / S * source.batch + t % S * source.token + head * source.head + i;
  float a[N];
  float b[N];
  load<T>(a, p);
  load<T>(b, p + half);
  if (is_q || is_k) rotate(a, b, table + static_cast<i64>(position[t]) * d + 2 * i, -1.0f);
  T* out = dqkv + (t * heads + h) * d + i;
  store<T>(out, a);
  store<T>(out + half, b);
}

unsigned blocks_for(i64 items) { return static_cast<unsigned>((items + kThreads - 1) / kThreads); }

}  // namespace

void rope_forward(Type type, void* qkv, const std::int32_t* position, const float* table, i64 T_tokens, i64 H, i64 K,
                  i64 d, Stream stream) {
  SXB_DISPATCH(type, T, {
    const i64 items = T_tokens * (H + K) * (d / 2 / kVector<T>);
    forward_kernel<T><<<blocks_for(items), kThreads, 0, stream_of(stream)>>>(
        static_cast<T*>(qkv), position, table, items, static_cast<int>(H + K), (H + 2 * K) * d, static_cast<int>(d));
  });
  check_launch("rope_forward");
}

void rope_backward_gather(Type type, void* dqkv, Strided dq, Strided dk, Strided dv, const std::int32_t* position,
                          const float* table, i64 batch, i64 S, i64 H, i64 K, i64 d, Stream stream) {
  SXB_DISPATCH(type, T, {
    const i64 items = batch * S * (H + 2 * K) * (d / 2 / kVector<T>);
    backward_kernel<T><<<blocks_for(items), kThreads, 0, stream_of(stream)>>>(
        static_cast<T*>(dqkv), Sources{dq, dk, dv}, position, table, items, S, static_cast<int>(H),
        static_cast<int>(K), static_cast<int>(d));
  });
  check_launch("rope_backward_gather");
}

}  // namespace sxb::kernels::cuda
