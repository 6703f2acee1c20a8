// AdamW with clipping and the BF16 weight written in one pass over the flat shard, and the gradient
// norm that it needs, all on the device.
#include <stdexcept>
#include <string>

#include "engine/kernels/vector.cuh"

namespace sxb::kernels::cuda {
namespace {

constexpr int kThreads = 256;

template <typename T>
__global__ void __launch_bounds__(kThreads) squares_kernel(float* partial, const T* x, i64 vectors) {
  constexpr int N = kVector<T>;
  __shared__ float shared[32];
  float sum = 0;
  for (i64 k = static_cast<i64>(blockIdx.x) * kThreads + threadIdx.x; k < vectors;
       k += static_cast<i64>(gridDim.x) * kThreads) {
    float v[N];
    load<T>(v, x + k * N);
#pragma unroll
    for (int j = 0; j < N; ++j) sum += v[j] * v[j];
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

/// Four elements a thread: 16-byte accesses of the float state.
template <typename P, typename G>
__global__ void __launch_bounds__(kThreads) adamw_kernel(P* param, float* master, float* m, float* v, const G* grad,
                                                         const float* grad_scale, const AdamWStep* step, AdamW c,
                                                         i64 quads) {
  const i64 k = static_cast<i64>(blockIdx.x) * kThreads + threadIdx.x;
  if (k >= quads) return;
  const float scale = *grad_scale;
  const AdamWStep s = *step;
  const i64 i = k * 4;
  float w4[4];
  float m4[4];
  float v4[4];
  load<float>(w4, master + i);
  load<float>(m4, m + i);
  load<float>(v4, v + i);
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    const float g = to_float(grad[i + j]) * scale;
    m4[j] = c.beta1 * m4[j] + (1 - c.beta1) * g;
    v4[j] = c.beta2 * v4[j] + (1 - c.beta2) * g * g;
    w4[j] = w4[j] * (1 - s.lr * c.weight_decay) - s.lr * (m4[j] / s.bias1) / (sqrtf(v4[j] / s.bias2) + c.eps);
    param[i + j] = static_cast<P>(w4[j]);
  }
  store<float>(master + i, w4);
  store<float>(m + i, m4);
  store<float>(v + i, v4);
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
  const i64 quads = n / 4;
  const unsigned blocks = static_cast<unsigned>((quads + kThreads - 1) / kThreads);
  SXB_DISPATCH(param_type, P, SXB_DISPATCH(grad_type, G,
      (adamw_kernel<P, G><<<blocks, kThreads, 0, stream_of(stream)>>>(
          static_cast<P*>(param), master, m, v, static_cast<const G*>(grad), grad_scale, step, constants,
          quads))));
  check_launch("adamw");
}

void gradient_scale(float* results, const double* sums, double token_unit, double clip, Stream stream) {
  gradient_scale_kernel<<<1, 1, 0, stream_of(stream)>>>(results, sums, token_unit, clip);
  check_launch("gradient_scale");
}

}  // namespace sxb::kernels::cuda
