// RMSNorm (Zhang & Sennrich 2019) fused with the residual addition before it. Memory-bound: the
// forward reads x and delta and writes sum and out once; the backward reads dout, residual and x and
// writes dx once. One block per row keeps the row in registers.
#include "engine/kernels/vector.cuh"

namespace sxb::kernels::cuda {
namespace {

constexpr int kThreads = 256;
/// Vectors of one row that a thread keeps: rows up to kThreads * kMaxVectors * 8 = 16384 BF16.
constexpr int kMaxVectors = 8;
/// Blocks of the backward pass; each sums the weight gradient of its rows into its own partial row.
constexpr int kBackwardBlocks = 264;

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
    for (int j = 0; j < N; ++j) w[j] *= values[k][j] * r;
    store<T>(out + row + i, w);
  }
}

template <typename T>
__global__ void __launch_bounds__(kThreads) apply_kernel(T* out, const T* x, const T* weight, const float* rstd,
                                                         int D) {
  constexpr int N = kVector<T>;
  const i64 row = static_cast<i64>(blockIdx.x) * D;
  const float r = rstd[blockIdx.x];
  for (int i = threadIdx.x * N; i < D; i += kThreads * N) {
    float v[N];
    float w[N];
    load<T>(v, x + row + i);
    load<T>(w, weight + i);
#pragma unroll
    for (int j = 0; j < N; ++j) v[j] *= r * w[j];
    store<T>(out + row + i, v);
  }
}

/// dynamic shared memory: D floats, this block's part of dweight.
template <typename T>
__global__ void __launch_bounds__(kThreads) backward_kernel(T* dx, float* partial, const T* dout, const T* residual,
                                                            const T* x, const T* weight, const float* rstd, i64 T_rows,
                                                            int D) {
  constexpr int N = kVector<T>;
  extern __shared__ float dweight[];
  __shared__ float shared[32];
  for (int i = threadIdx.x; i < D; i += kThreads) dweight[i] = 0;
  __syncthreads();
  for (i64 t = blockIdx.x; t < T_rows; t += gridDim.x) {
    const i64 row = t * D;
    const float r = rstd[t];
    float values[kMaxVectors][N];
    float grads[kMaxVectors][N];  // weight * dout
    float sum = 0;
#pragma unroll
    for (int k = 0; k < kMaxVectors; ++k) {
      const int i = (k * kThreads + threadIdx.x) * N;
      if (i >= D) break;
      float w[N];
      load<T>(values[k], x + row + i);
      load<T>(grads[k], dout + row + i);
      load<T>(w, weight + i);
#pragma unroll
      for (int j = 0; j < N; ++j) {
        dweight[i + j] += grads[k][j] * values[k][j] * r;  // each thread owns its columns
        grads[k][j] *= w[j];
        sum += grads[k][j] * values[k][j];
      }
    }
    const float mean = block_sum(sum, shared) / static_cast<float>(D);
#pragma unroll
    for (int k = 0; k < kMaxVectors; ++k) {
      const int i = (k * kThreads + threadIdx.x) * N;
      if (i >= D) break;
      float base[N] = {};
      if (residual != nullptr) load<T>(base, residual + row + i);
#pragma unroll
      for (int j = 0; j < N; ++j) base[j] += r * (grads[k][j] - values[k][j] * r * r * mean);
      store<T>(dx + row + i, base);
    }
  }
  __syncthreads();
  for (int i = threadIdx.x; i < D; i += kThreads) partial[static_cast<i64>(blockIdx.x) * D + i] = dweight[i];
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

void rmsnorm_apply(Type type, void* out, const void* x, const void* weight, const float* rstd, i64 T_rows, i64 D,
                   Stream stream) {
  SXB_DISPATCH(type, T, (apply_kernel<T><<<static_cast<unsigned>(T_rows), kThreads, 0, stream_of(stream)>>>(
                            static_cast<T*>(out), static_cast<const T*>(x), static_cast<const T*>(weight), rstd,
                            static_cast<int>(D))));
  check_launch("rmsnorm_apply");
}

std::int64_t rmsnorm_backward_scratch(i64 D) { return kBackwardBlocks * D; }

void rmsnorm_backward(Type type, void* dx, void* dweight, bool accumulate, const void* dout, const void* residual,
                      const void* x, const void* weight, const float* rstd, float* partial, i64 T_rows, i64 D,
                      Stream stream) {
  const int blocks = static_cast<int>(T_rows < kBackwardBlocks ? T_rows : kBackwardBlocks);
  const std::size_t shared = static_cast<std::size_t>(D) * sizeof(float);
  SXB_DISPATCH(type, T, {
    // A block may use more than 48 KiB of shared memory only after asking for it (D > 12288).
    cudaFuncSetAttribute(backward_kernel<T>, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared));
    backward_kernel<T><<<blocks, kThreads, shared, stream_of(stream)>>>(
        static_cast<T*>(dx), partial, static_cast<const T*>(dout), static_cast<const T*>(residual),
        static_cast<const T*>(x), static_cast<const T*>(weight), rstd, T_rows, static_cast<int>(D));
    check_launch("rmsnorm_backward");
    dweight_kernel<T><<<static_cast<unsigned>((D + 63) / 64), 64, 0, stream_of(stream)>>>(
        static_cast<T*>(dweight), partial, blocks, static_cast<int>(D), accumulate);
  });
  check_launch("rmsnorm_backward (weight)");
}

}  // namespace sxb::kernels::cuda
