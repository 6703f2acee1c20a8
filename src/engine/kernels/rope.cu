// Rotary position embedding (Su et al. 2021), Hugging Face's pairing (i, i + d/2), on the fused
// q|k|v rows; the backward gathers the attention library's dq, dk, dv into one row on the way.
#include "engine/kernels/vector.cuh"

namespace sxb::kernels::cuda {
namespace {

constexpr int kMaxThreads = 256;

/// Rotates one vector of pairs: a = x[i..], b = x[i + d/2..].
template <int N>
__device__ inline void rotate(float (&a)[N], float (&b)[N], const float (&cos_sin)[2 * N], float direction) {
#pragma unroll
  for (int j = 0; j < N; ++j) {
    const float c = cos_sin[2 * j];
    const float s = cos_sin[2 * j + 1] * direction;
    const float x = a[j];
    a[j] = x * c - b[j] * s;
    b[j] = b[j] * c + x * s;
  }
}

template <int N>
__device__ inline void load_cos_sin(float (&cos_sin)[N], const float* from) {
#pragma unroll
  for (int j = 0; j < N; j += 4) {
    const float4 four = *reinterpret_cast<const float4*>(from + j);
    cos_sin[j] = four.x, cos_sin[j + 1] = four.y, cos_sin[j + 2] = four.z, cos_sin[j + 3] = four.w;
  }
}

/// One block per token. A thread owns one vector of the half head, whose cosines and sines it reads once,
/// and walks over the heads.
template <typename T>
__global__ void __launch_bounds__(kMaxThreads)
    forward_kernel(T* qkv, const int* __restrict__ position, const float* __restrict__ table, int heads,
                   int width, int d) {
  constexpr int N = kVector<T>;
  const int vectors = d / 2 / N;
  const int i = static_cast<int>(threadIdx.x) % vectors * N;
  const int step = static_cast<int>(blockDim.x) / vectors;
  const i64 t = blockIdx.x;
  float cos_sin[2 * N];
  load_cos_sin(cos_sin, table + static_cast<i64>(position[t]) * d + 2 * i);
  T* row = qkv + t * width + i;
#pragma unroll 2
  for (int h = static_cast<int>(threadIdx.x) / vectors; h < heads; h += step) {
    float a[N];
    float b[N];
    load<T>(a, row + h * d);
    load<T>(b, row + h * d + d / 2);
    rotate(a, b, cos_sin, 1.0f);
    store<T>(row + h * d, a);
    store<T>(row + h * d + d / 2, b);
  }
}

struct Sources {
  Strided q, k, v;
};

template <typename T>
__global__ void __launch_bounds__(kMaxThreads)
    backward_kernel(T* __restrict__ dqkv, Sources from, const int* __restrict__ position,
                    const float* __restrict__ table, i64 S, int H, int K, int d) {
  constexpr int N = kVector<T>;
  const int vectors = d / 2 / N;
  const int i = static_cast<int>(threadIdx.x) % vectors * N;
  const int step = static_cast<int>(blockDim.x) / vectors;
  const int heads = H + 2 * K;
  const i64 t = blockIdx.x;
  const i64 batch = t / S;
  const i64 token = t % S;
  float cos_sin[2 * N];
  load_cos_sin(cos_sin, table + static_cast<i64>(position[t]) * d + 2 * i);
#pragma unroll 4
  for (int h = static_cast<int>(threadIdx.x) / vectors; h < heads; h += step) {
    const bool is_q = h < H;
    const bool is_v = h >= H + K;
    const Strided& source = is_q ? from.q : is_v ? from.v : from.k;
    const int head = is_q ? h : is_v ? h - H - K : h - H;
    const T* p = static_cast<const T*>(source.data) + batch * source.batch + token * source.token +
                 head * source.head + i;
    float a[N];
    float b[N];
    unpack<T>(a, load_once(p));
    unpack<T>(b, load_once(p + d / 2));
    if (!is_v) rotate(a, b, cos_sin, -1.0f);
    T* out = dqkv + (t * heads + h) * d + i;
    store<T>(out, a);
    store<T>(out + d / 2, b);
  }
}

/// As many threads as whole heads fill.
template <typename T>
unsigned threads_for(i64 d) {
  const i64 vectors = d / 2 / kVector<T>;
  return static_cast<unsigned>(kMaxThreads / vectors * vectors);
}

}  // namespace

void rope_forward(Type type, void* qkv, const std::int32_t* position, const float* table, i64 T_tokens, i64 H,
                  i64 K, i64 d, Stream stream) {
  SXB_DISPATCH(
      type, T,
      (forward_kernel<T><<<static_cast<unsigned>(T_tokens), threads_for<T>(d), 0, stream_of(stream)>>>(
          static_cast<T*>(qkv), position, table, static_cast<int>(H + K), static_cast<int>((H + 2 * K) * d),
          static_cast<int>(d))));
  check_launch("rope_forward");
}

void rope_backward_gather(Type type, void* dqkv, Strided dq, Strided dk, Strided dv,
                          const std::int32_t* position, const float* table, i64 batch, i64 S, i64 H, i64 K,
                          i64 d, Stream stream) {
  SXB_DISPATCH(
      type, T,
      (backward_kernel<T><<<static_cast<unsigned>(batch * S), threads_for<T>(d), 0, stream_of(stream)>>>(
          static_cast<T*>(dqkv), Sources{dq, dk, dv}, position, table, S, static_cast<int>(H),
          static_cast<int>(K), static_cast<int>(d))));
  check_launch("rope_backward_gather");
}

}  // namespace sxb::kernels::cuda
