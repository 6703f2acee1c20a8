// AdamW with clipping and the BF16 weight written in one pass over the flat shard, and the gradient
// norm that it needs, all on the device.
#include <stdexcept>
#include <string>

#include "engine/kernels/vector.cuh"

namespace sxb::kernels::cuda {
namespace {

constexpr int kThreads = 256;
/// Vectors that a thread of the sum of squares has under way at once.
constexpr int kBatch = 4;

template <typename T>
__global__ void __launch_bounds__(kThreads) squares_kernel(float* partial, const T* x, i64 vectors) {
  constexpr int N = kVector<T>;
  __shared__ float shared[32];
  float sum = 0;
  const i64 stride = static_cast<i64>(gridDim.x) * kThreads;
  for (i64 first = static_cast<i64>(blockIdx.x) * kThreads + threadIdx.x; first < vectors;
       first += kBatch * stride) {
    Raw batch[kBatch] = {};  // all loads before the first use
#pragma unroll
    for (int b = 0; b < kBatch; ++b) {
      if (first + b * stride < vectors) batch[b] = load_once(x + (first + b * stride) * N);
    }
#pragma unroll
    for (int b = 0; b < kBatch; ++b) {
      float v[N];
      unpack<T>(v, batch[b]);
#pragma unroll
      for (int j = 0; j < N; ++j) sum += v[j] * v[j];
    }
  }
  sum = block_sum(sum, shared);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

__global__ void add_partials_kernel(double* out, const float* partial, int n) {
  __shared__ float shared[32];
  float sum = 0;
  for (int i = threadIdx.x; i < n; i += blockDim.x) sum += partial[i];
  sum = block_sum(sum, shared);
  if (threadIdx.x == 0) *out += static_cast<double>(sum);
}

/// Elements of a thread: one 16-byte access of BF16, two of the float state.
constexpr int kElements = 8;

template <typename T>
__device__ inline void load_elements(float (&v)[kElements], const T* p) {
  constexpr int N = kVector<T>;
#pragma unroll
  for (int j = 0; j < kElements; j += N) {
    float part[N];
    unpack<T>(part, load_once(p + j));
#pragma unroll
    for (int i = 0; i < N; ++i) v[j + i] = part[i];
  }
}
template <typename T>
__device__ inline void store_elements(T* p, const float (&v)[kElements]) {
  constexpr int N = kVector<T>;
#pragma unroll
  for (int j = 0; j < kElements; j += N) {
    float part[N];
#pragma unroll
    for (int i = 0; i < N; ++i) part[i] = v[j + i];
    store_once(p + j, pack<T>(part));
  }
}

/// 1 ulp, without the exact root's dozen instructions.
__device__ inline float fast_sqrt(float x) {
  float root;
  asm("sqrt.approx.f32 %0, %1;" : "=f"(root) : "f"(x));
  return root;
}

template <typename P, typename G>
__global__ void __launch_bounds__(kThreads)
    adamw_kernel(P* __restrict__ param, float* __restrict__ master, float* __restrict__ m,
                 float* __restrict__ v, const G* __restrict__ grad, const float* __restrict__ grad_scale,
                 const AdamWStep* __restrict__ step, AdamW c, i64 groups) {
  const i64 k = static_cast<i64>(blockIdx.x) * kThreads + threadIdx.x;
  if (k >= groups) return;
  const i64 i = k * kElements;
  float g[kElements];
  float w[kElements];
  float first[kElements];
  float second[kElements];
  load_elements(g, grad + i);
  load_elements(w, master + i);
  load_elements(first, m + i);
  load_elements(second, v + i);
  const float scale = *grad_scale;
  const AdamWStep s = *step;
  // lr (m / bias1) / (sqrt(v / bias2) + eps), the quotients of scalars taken once.
  const float rate = s.lr / s.bias1;
  const float root_scale = 1.0f / sqrtf(s.bias2);
  const float keep = 1 - s.lr * c.weight_decay;
#pragma unroll
  for (int j = 0; j < kElements; ++j) {
    g[j] *= scale;
    first[j] = c.beta1 * first[j] + c.rest1 * g[j];
    second[j] = c.beta2 * second[j] + c.rest2 * g[j] * g[j];
    w[j] = w[j] * keep - __fdividef(rate * first[j], fast_sqrt(second[j]) * root_scale + c.eps);
  }
  store_elements(master + i, w);
  store_elements(m + i, first);
  store_elements(v + i, second);
  store_elements(param + i, w);
}

__global__ void gradient_scale_kernel(float* results, const double* sums, double token_unit, double clip) {
  const double tokens = fmax(sums[2], 1.0);
  const double unscale = 1.0 / (token_unit * tokens);
  const double norm = sqrt(sums[0]) * unscale;
  const double factor = clip > 0 && norm > clip ? clip / norm : 1.0;
  results[0] = static_cast<float>(unscale * factor);
  results[1] = static_cast<float>(norm);
  results[2] = static_cast<float>(sums[1] / tokens);
}

}  // namespace

void check_launch(const char* kernel) {
  if (const cudaError_t error = cudaGetLastError(); error != cudaSuccess) {
    throw std::runtime_error(std::string("launching ") + kernel + ": " + cudaGetErrorString(error));
  }
}

void sum_of_squares(Type type, double* out, const void* x, float* partial, i64 n, Stream stream) {
  SXB_DISPATCH(type, T, {
    const i64 vectors = n / kVector<T>;
    const i64 wanted = (vectors + kThreads - 1) / kThreads;
    const int blocks = static_cast<int>(wanted < kSumOfSquaresScratch ? wanted : kSumOfSquaresScratch);
    squares_kernel<T><<<blocks, kThreads, 0, stream_of(stream)>>>(partial, static_cast<const T*>(x), vectors);
    check_launch("sum_of_squares");
    add_partials_kernel<<<1, kThreads, 0, stream_of(stream)>>>(out, partial, blocks);
  });
  check_launch("sum_of_squares (final)");
}

void adamw(Type param_type, void* param, float* master, float* m, float* v, Type grad_type, const void* grad,
           const float* grad_scale, const AdamWStep* step, const AdamW& constants, i64 n, Stream stream) {
  const i64 groups = n / kElements;
  const unsigned blocks = static_cast<unsigned>((groups + kThreads - 1) / kThreads);
  SXB_DISPATCH(param_type, P,
               SXB_DISPATCH(grad_type, G,
                            (adamw_kernel<P, G><<<blocks, kThreads, 0, stream_of(stream)>>>(
                                static_cast<P*>(param), master, m, v, static_cast<const G*>(grad), grad_scale,
                                step, constants, groups))));
  check_launch("adamw");
}

void gradient_scale(float* results, const double* sums, double token_unit, double clip, Stream stream) {
  gradient_scale_kernel<<<1, 1, 0, stream_of(stream)>>>(results, sums, token_unit, clip);
  check_launch("gradient_scale");
}

}  // namespace sxb::kernels::cuda
