// Softmax cross-entropy, forward and backward in one kernel: the row is read twice (the second time
// mostly from L2) and its gradient written over the logits. No FP32 logits exist anywhere.
#include "engine/kernels/vector.cuh"

namespace sxb::kernels::cuda {
namespace {

constexpr int kThreads = 512;

template <typename T>
__global__ void __launch_bounds__(kThreads)
    cross_entropy_kernel(T* logits, float* loss, const int* target, float scale, int V) {
  constexpr int N = kVector<T>;
  __shared__ float shared[32];
  T* row = logits + static_cast<i64>(blockIdx.x) * V;
  const int correct = target[blockIdx.x];
  if (correct < 0) {
    const float zero[N] = {};
    for (int i = threadIdx.x * N; i < V; i += kThreads * N) store<T>(row + i, zero);
    if (threadIdx.x == 0) loss[blockIdx.x] = 0;
    return;
  }
  const float logit = to_float(row[correct]);  // read before any thread overwrites it (block_max syncs)
  // Running maximum and sum of exponentials (Milakov & Gimelshein 2018).
  float highest = -INFINITY;
  float total = 0;
  for (int i = threadIdx.x * N; i < V; i += kThreads * N) {
    float v[N];
    load<T>(v, row + i);
    float local = highest;
#pragma unroll
    for (int j = 0; j < N; ++j) local = fmaxf(local, v[j]);
    total *= __expf(highest - local);
    highest = local;
#pragma unroll
    for (int j = 0; j < N; ++j) total += __expf(v[j] - highest);
  }
  const float row_highest = block_max(highest, shared);
  // A thread that saw no element has highest = -inf and adds 0 * exp(-inf) = 0.
  const float row_total = block_sum(total == 0 ? 0.0f : total * __expf(highest - row_highest), shared);
  if (threadIdx.x == 0) loss[blockIdx.x] = logf(row_total) + row_highest - logit;
  const float factor = scale / row_total;
  for (int i = threadIdx.x * N; i < V; i += kThreads * N) {
    float v[N];
    load<T>(v, row + i);
#pragma unroll
    for (int j = 0; j < N; ++j) {
      v[j] = __expf(v[j] - row_highest) * factor;
      if (i + j == correct) v[j] -= scale;
    }
    store<T>(row + i, v);
  }
}

}  // namespace

void cross_entropy(Type type, void* logits, float* loss, const std::int32_t* target, float scale, i64 T_rows,
                   i64 V, Stream stream) {
  SXB_DISPATCH(type, T,
               (cross_entropy_kernel<T><<<static_cast<unsigned>(T_rows), kThreads, 0, stream_of(stream)>>>(
                   static_cast<T*>(logits), loss, target, scale, static_cast<int>(V))));
  check_launch("cross_entropy");
}

}  // namespace sxb::kernels::cuda
