// RMSNorm (Zhang & Sennrich 2019) fused with the residual addition before it. Memory-bound: the
// forward reads x and delta and writes sum and out once; the backward reads dout, residual and x and
// writes dx once (and dout, if the output is to be restored).
//
// A block walks over rows and keeps one in registers, packed as it lies in memory, so that all loads
// of a row are under way at once; several blocks a multiprocessor cover each other's reductions.
#include <algorithm>

#include "engine/kernels/vector.cuh"

namespace sxb::kernels::cuda {
namespace {

/// Vectors of a row that a thread holds: enough loads in flight from few threads. Rows of more than
/// kNarrowThreads * kNarrow vectors (8192 BF16) take kWide.
constexpr int kNarrow = 4;
constexpr int kWide = 8;
constexpr int kNarrowThreads = 256;
constexpr int kMaxThreads = 512;
/// What a block of K vectors a thread has at most: the fewer, the more registers each may use.
template <int K>
constexpr int kThreads = K == kNarrow ? kNarrowThreads : kMaxThreads;
/// Rows that a block walks over. Few enough that many more blocks exist than run at once: one that has
/// to wait for a multiprocessor (a collective may hold it) then delays nothing.
constexpr i64 kForwardRows = 8;
constexpr i64 kBackwardRows = 16;
/// Blocks of the backward pass at most: each writes a row of partial sums of the weight gradient.
constexpr i64 kMaxBackwardBlocks = 1024;

/// Sum over the block. Consecutive calls alternate between two buffers: one barrier each is enough.
__device__ inline float row_sum(float v, float* shared) {
  v = warp_sum(v);
  if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = v;
  __syncthreads();
  float total = 0;
  for (unsigned w = 0; w < blockDim.x / 32; ++w) total += shared[w];
  return total;
}

template <typename T, int K, bool kAdd>
__global__ void __launch_bounds__(kThreads<K>)
    forward_kernel(T* __restrict__ out, T* __restrict__ sum, float* __restrict__ rstd,
                   const T* __restrict__ x, const T* __restrict__ delta, const T* __restrict__ weight,
                   i64 T_rows, i64 rows, int D, float eps) {
  constexpr int N = kVector<T>;
  __shared__ float shared[2][kMaxThreads / 32];
  const auto column = [](int k) {
    return (k * static_cast<int>(blockDim.x) + static_cast<int>(threadIdx.x)) * N;
  };
  Raw w[K] = {};
  Raw row[K] = {};
  Raw add[K] = {};
  const auto fetch = [&](i64 t) {
#pragma unroll
    for (int k = 0; k < K; ++k) {
      if (column(k) < D) row[k] = load_once(x + t * D + column(k));
      if (kAdd && column(k) < D) add[k] = load_once(delta + t * D + column(k));
    }
  };
#pragma unroll
  for (int k = 0; k < K; ++k) {
    if (column(k) < D) w[k] = load_raw(weight + column(k));
  }
  int parity = 0;
  const i64 first = blockIdx.x * rows;
  const i64 end = first + rows < T_rows ? first + rows : T_rows;
  fetch(first);
  for (i64 t = first; t < end; ++t) {
    Raw kept[K];
    float squares = 0;
#pragma unroll
    for (int k = 0; k < K; ++k) {
      float v[N];
      unpack<T>(v, row[k]);
      kept[k] = row[k];
      if (kAdd) {
        float a[N];
        unpack<T>(a, add[k]);
#pragma unroll
        for (int j = 0; j < N; ++j) v[j] += a[j];
        kept[k] = pack<T>(v);
        unpack<T>(v, kept[k]);  // what is kept is what is normalised
        if (column(k) < D) store_once(sum + t * D + column(k), kept[k]);
      }
#pragma unroll
      for (int j = 0; j < N; ++j) squares += v[j] * v[j];
    }
    if (t + 1 < end) fetch(t + 1);  // under way while this row is reduced and written
    const float r = rsqrtf(row_sum(squares, shared[parity]) / static_cast<float>(D) + eps);
    parity ^= 1;
    if (threadIdx.x == 0) rstd[t] = r;
#pragma unroll
    for (int k = 0; k < K; ++k) {
      if (column(k) >= D) continue;
      float v[N];
      float o[N];
      unpack<T>(v, kept[k]);
      unpack<T>(o, w[k]);
#pragma unroll
      for (int j = 0; j < N; ++j) o[j] *= v[j] * r;  // as the backward pass computes it again
      store_raw(out + t * D + column(k), pack<T>(o));
    }
  }
}

/// A thread owns the columns it holds, so it sums their part of dweight in registers over all rows of
/// its block.
template <typename T, int K, bool kRestore>
__global__ void __launch_bounds__(kThreads<K>, kMaxThreads / kThreads<K>)
    backward_kernel(T* __restrict__ dx, float* __restrict__ partial, T* dout, const T* __restrict__ residual,
                    const T* __restrict__ x, const T* __restrict__ weight, const float* __restrict__ rstd,
                    i64 T_rows, i64 rows, int D) {
  constexpr int N = kVector<T>;
  __shared__ float shared[2][kMaxThreads / 32];
  const auto column = [](int k) {
    return (k * static_cast<int>(blockDim.x) + static_cast<int>(threadIdx.x)) * N;
  };
  float dweight[K][N] = {};
  int parity = 0;
  const i64 end = (blockIdx.x + 1) * rows < T_rows ? (blockIdx.x + 1) * rows : T_rows;
  for (i64 t = blockIdx.x * rows; t < end; ++t) {
    const i64 first = t * D;
    Raw row[K] = {};
    Raw grad[K] = {};
    Raw base[K] = {};
    const float r = rstd[t];
#pragma unroll
    for (int k = 0; k < K; ++k) {
      if (column(k) >= D) continue;
      row[k] = load_once(x + first + column(k));
      grad[k] = load_once(dout + first + column(k));
      if (residual != nullptr) base[k] = load_once(residual + first + column(k));
    }
    float products = 0;
#pragma unroll
    for (int k = 0; k < K; ++k) {
      if (column(k) >= D) continue;
      float v[N];
      float g[N];
      float u[N];
      unpack<T>(v, row[k]);
      unpack<T>(g, grad[k]);
      load<T>(u, weight + column(k));  // from L1, twice: registers are dearer here
#pragma unroll
      for (int j = 0; j < N; ++j) {
        dweight[k][j] += g[j] * v[j] * r;
        products += g[j] * u[j] * v[j];
      }
    }
    const float mean = row_sum(products, shared[parity]) / static_cast<float>(D);
    parity ^= 1;
#pragma unroll
    for (int k = 0; k < K; ++k) {
      if (column(k) >= D) continue;
      float v[N];
      float g[N];
      float u[N];
      float b[N];
      unpack<T>(v, row[k]);
      unpack<T>(g, grad[k]);
      load<T>(u, weight + column(k));
      unpack<T>(b, base[k]);
#pragma unroll
      for (int j = 0; j < N; ++j) b[j] += r * (u[j] * g[j] - v[j] * r * r * mean);
      store_raw(dx + first + column(k), pack<T>(b));
      if (kRestore) {
#pragma unroll
        for (int j = 0; j < N; ++j) u[j] *= v[j] * r;
        store_raw(dout + first + column(k), pack<T>(u));
      }
    }
  }
#pragma unroll
  for (int k = 0; k < K; ++k) {
    if (column(k) >= D) continue;
    float* to = partial + static_cast<i64>(blockIdx.x) * D + column(k);
#pragma unroll
    for (int j = 0; j < N; j += 4) {
      *reinterpret_cast<float4*>(to + j) =
          make_float4(dweight[k][j], dweight[k][j + 1], dweight[k][j + 2], dweight[k][j + 3]);
    }
  }
}

constexpr int kColumns = 32;
constexpr int kSlices = 16;

/// Adds the partial rows in a fixed order (the same bits every time): each thread of a column every
/// kSlices-th row, then the slices one after the other.
template <typename T>
__global__ void __launch_bounds__(kColumns* kSlices)
    dweight_kernel(T* dweight, const float* __restrict__ partial, int blocks, int D, bool accumulate) {
  __shared__ float shared[kSlices][kColumns];
  const int column = static_cast<int>(threadIdx.x) % kColumns;
  const int slice = static_cast<int>(threadIdx.x) / kColumns;
  const int i = static_cast<int>(blockIdx.x) * kColumns + column;
  float sum = 0;
  if (i < D) {
#pragma unroll 8
    for (int b = slice; b < blocks; b += kSlices) sum += partial[static_cast<i64>(b) * D + i];
  }
  shared[slice][column] = sum;
  __syncthreads();
  if (slice != 0 || i >= D) return;
  sum = accumulate ? to_float(dweight[i]) : 0.0f;
  for (int s = 0; s < kSlices; ++s) sum += shared[s][column];
  dweight[i] = static_cast<T>(sum);
}

/// Threads that hold a row with K vectors each.
template <typename T>
int threads_for(i64 D, int K) {
  const i64 per_warp = static_cast<i64>(kVector<T>) * K * 32;
  return static_cast<int>((D + per_warp - 1) / per_warp) * 32;
}

template <typename T>
bool is_narrow(i64 D) {
  return threads_for<T>(D, kNarrow) <= kNarrowThreads;
}

}  // namespace

void rmsnorm_forward(Type type, void* out, void* sum, float* rstd, const void* x, const void* delta,
                     const void* weight, i64 T_rows, i64 D, float eps, Stream stream) {
  const auto blocks = static_cast<unsigned>((T_rows + kForwardRows - 1) / kForwardRows);
  SXB_DISPATCH(type, T, {
    const auto launch = [&](auto kernel, int K) {
      kernel<<<blocks, threads_for<T>(D, K), 0, stream_of(stream)>>>(
          static_cast<T*>(out), static_cast<T*>(sum), rstd, static_cast<const T*>(x),
          static_cast<const T*>(delta), static_cast<const T*>(weight), T_rows, kForwardRows,
          static_cast<int>(D), eps);
    };
    const bool add = delta != nullptr;
    if (is_narrow<T>(D)) {
      launch(add ? forward_kernel<T, kNarrow, true> : forward_kernel<T, kNarrow, false>, kNarrow);
    } else {
      launch(add ? forward_kernel<T, kWide, true> : forward_kernel<T, kWide, false>, kWide);
    }
  });
  check_launch("rmsnorm_forward");
}

std::int64_t rmsnorm_backward_scratch(i64 D) { return kMaxBackwardBlocks * D; }

void rmsnorm_backward(Type type, void* dx, void* dweight, bool accumulate, void* dout, bool restore,
                      const void* residual, const void* x, const void* weight, const float* rstd,
                      float* partial, i64 T_rows, i64 D, Stream stream) {
  const i64 rows = std::max(kBackwardRows, (T_rows + kMaxBackwardBlocks - 1) / kMaxBackwardBlocks);
  const auto blocks = static_cast<int>((T_rows + rows - 1) / rows);
  SXB_DISPATCH(type, T, {
    const auto launch = [&](auto kernel, int K) {
      kernel<<<blocks, threads_for<T>(D, K), 0, stream_of(stream)>>>(
          static_cast<T*>(dx), partial, static_cast<T*>(dout), static_cast<const T*>(residual),
          static_cast<const T*>(x), static_cast<const T*>(weight), rstd, T_rows, rows, static_cast<int>(D));
    };
    if (is_narrow<T>(D)) {
      launch(restore ? backward_kernel<T, kNarrow, true> : backward_kernel<T, kNarrow, false>, kNarrow);
    } else {
      launch(restore ? backward_kernel<T, kWide, true> : backward_kernel<T, kWide, false>, kWide);
    }
    check_launch("rmsnorm_backward");
    dweight_kernel<T>
        <<<static_cast<unsigned>((D + kColumns - 1) / kColumns), kColumns * kSlices, 0, stream_of(stream)>>>(
            static_cast<T*>(dweight), partial, blocks, static_cast<int>(D), accumulate);
  });
  check_launch("rmsnorm_backward (weight)");
}

}  // namespace sxb::kernels::cuda
