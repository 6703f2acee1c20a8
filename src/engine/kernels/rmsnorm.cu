// RMSNorm (Zhang & Sennrich 2019) fused with the residual addition before it. Memory-bound: the
// forward reads x and delta and writes sum and out once; the backward reads dout, residual and x and
// writes dx once. One block per row keeps the row in registers.
#include "engine/kernels/vector.cuh"

namespace sxb::kernels::cuda {
namespace {

constexpr int kThreads = 256;
/// Vectors of one row that a thread keeps: rows up to kThreads * kMaxVectors * 8 = 16384 BF16.
constexpr int kMaxVectors = 8;
/// Blocks of the backward pass, four to each of 132 multiprocessors: enough rows in flight to keep the
/// memory busy. Each sums the weight gradient of its rows into its own partial row.
constexpr int kBackwardBlocks = 528;

template <typename T>
__global__ void __launch_bounds__(kThreads) forward_kernel(T* out, T* sum, float* rstd, const T* x, const T* delta,
                                                           const T* weight, int D, float eps) {
  constexpr int N = kVector<T>;
  __shared__ float shared[32];
  const i64 row = static_cast<i64>(blockIdx.x) * D;
  float values[kMaxVectors][N];
  float squares = 0;
#pragma unroll
  for (int k = 0; k < kMaxVectors; ++k) {
    const int i = (k * kThreads + threadIdx.x) * N;
    if (i >= D) break;
    load<T>(values[k], x + row + i);
    if (delta != nullptr) {
      float add[N];
      load<T>(add, delta + row + i);
#pragma unroll
      for (int j = 0; j < N; ++j) values[k][j] = to_float(static_cast<T>(values[k][j] + add[j]));
      store<T>(sum + row + i, values[k]);
    }
#pragma unroll
    for (int j = 0; j < N; ++j) squares += values[k][j] * values[k][j];
  }
  const float r = rsqrtf(block_sum(squares, shared) / static_cast<float>(D) + eps);
  if (threadIdx.x == 0) rstd[blockIdx.x] = r;
#pragma unroll
  for (int k = 0; k < kMaxVectors; ++k) {
    const int i = (k * kThreads + threadIdx.x) * N;
    if (i >= D) break;
    float w[N];
    load<T>(w, weight + i);
#pragma unroll
    for (int j = 0; j < N; ++j) w[j] *= values[k][j] * r;  // as the backward pass computes it again
    store<T>(out + row + i, w);
  }
}

/// K vectors of a row per thread; the thread owns their columns, so it sums their part of dweight in
/// registers over all rows of its block.
template <typename T, int K>
__global__ void __launch_bounds__(kThreads) backward_kernel(T* dx, float* partial, T* dout, bool restore,
                                                            const T* residual, const T* x, const T* weight,
                                                            const float* rstd, i64 T_rows, int D) {
  constexpr int N = kVector<T>;
  __shared__ float shared[32];
  float dweight[K][N] = {};
  for (i64 t = blockIdx.x; t < T_rows; t += gridDim.x) {
    const i64 row = t * D;
    const float r = rstd[t];
    float values[K][N];
    float grads[K][N];  // weight * dout
    float sum = 0;
#pragma unroll
    for (int k = 0; k < K; ++k) {
      const int i = (k * kThreads + threadIdx.x) * N;
      if (i >= D) break;
      float w[N];
      load<T>(values[k], x + row + i);
      load<T>(grads[k], dout + row + i);
      load<T>(w, weight + i);
#pragma unroll
      for (int j = 0; j < N; ++j) {
        dweight[k][j] += grads[k][j] * values[k][j] * r;
        grads[k][j] *= w[j];
        sum += grads[k][j] * values[k][j];
      }
    }
    const float mean = block_sum(sum, shared) / static_cast<float>(D);
#pragma unroll
    for (int k = 0; k < K; ++k) {
      const int i = (k * kThreads + threadIdx.x) * N;
      if (i >= D) break;
      float base[N] = {};
      if (residual != nullptr) load<T>(base, residual + row + i);
#pragma unroll
      for (int j = 0; j < N; ++j) base[j] += r * (grads[k][j] - values[k][j] * r * r * mean);
      store<T>(dx + row + i, base);
      if (!restore) continue;
      float out[N];
      load<T>(out, weight + i);
#pragma unroll
      for (int j = 0; j < N; ++j) out[j] *= values[k][j] * r;
      store<T>(dout + row + i, out);
    }
  }
#pragma unroll
  for (int k = 0; k < K; ++k) {
    const int i = (k * kThreads + threadIdx.x) * N;
    if (i >= D) break;
#pragma unroll
    for (int j = 0; j < N; ++j) partial[static_cast<i64>(blockIdx.x) * D + i + j] = dweight[k][j];
  }
}

/// Adds the partial rows in order: the same bits every time.
template <typename T>
__global__ void dweight_kernel(T* dweight, const float* partial, int blocks, int D, bool accumulate) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= D) return;
  float sum = accumulate ? to_float(dweight[i]) : 0.0f;
  for (int b = 0; b < blocks; ++b) sum += partial[static_cast<i64>(b) * D + i];
  dweight[i] = static_cast<T>(sum);
}

}  // namespace

void rmsnorm_forward(Type type, void* out, void* sum, float* rstd, const void* x, const void* delta,
                     const void* weight, i64 T_rows, i64 D, float eps, Stream stream) {
  SXB_DISPATCH(type, T, (forward_kernel<T><<<static_cast<unsigned>(T_rows), kThreads, 0, stream_of(stream)>>>(
                            static_cast<T*>(out), static_cast<T*>(sum), rstd, static_cast<const T*>(x),
                            static_cast<const T*>(delta), static_cast<const T*>(weight), static_cast<int>(D), eps)));
  check_launch("rmsnorm_forward");
}

std::int64_t rmsnorm_backward_scratch(i64 D) { return kBackwardBlocks * D; }

void rmsnorm_backward(Type type, void* dx, void* dweight, bool accumulate, void* dout, bool restore,
                      const void* residual, const void* x, const void* weight, const float* rstd, float* partial, i64 T_rows, i64 D,
                      Stream stream) {
  const int blocks = static_cast<int>(T_rows < kBackwardBlocks ? T_rows : kBackwardBlocks);
  SXB_DISPATCH(type, T, {
    const auto launch = [&](auto kernel) {
      kernel<<<blocks, kThreads, 0, stream_of(stream)>>>(
          static_cast<T*>(dx), partial, static_cast<T*>(dout), restore, static_cast<const T*>(residual),
          static_cast<const T*>(x), static_cast<const T*>(weight), rstd, T_rows, static_cast<int>(D));
    };
    // The fewest registers that hold a row: 2 vectors a thread for 7B, 3 for 13B, 4 for 70B in BF16.
    const i64 vectors = (D + kThreads * kVector<T> - 1) / (kThreads * kVector<T>);
    if (vectors <= 2) {
      launch(backward_kernel<T, 2>);
    } else if (vectors <= 4) {
      launch(backward_kernel<T, 4>);
    } else {
      launch(backward_kernel<T, kMaxVectors>);
    }
    check_launch("rmsnorm_backward");
    dweight_kernel<T><<<static_cast<unsigned>((D + 63) / 64), 64, 0, stream_of(stream)>>>(
        static_cast<T*>(dweight), partial, blocks, static_cast<int>(D), accumulate);
  });
  check_launch("rmsnorm_backward (weight)");
}

}  // namespace sxb::kernels::cuda
