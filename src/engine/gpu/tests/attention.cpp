// Attention of the 7B shape as the trainer runs it: forward and backward, RoPE included, 8 x 2048 tokens.
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <c10/core/InferenceMode.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "engine/attention/attention.h"
#include "engine/base/cuda.h"
#include "engine/gpu/tests/test.h"
#include "engine/kernels/kernels.h"

namespace sxb::engine::gpu {
namespace {

constexpr std::int64_t kRows = 8, kSeq = 2048, kHeads = 32, kHeadDim = 128;
constexpr std::int64_t kTokens = kRows * kSeq, kWidth = kHeads * kHeadDim;
constexpr int kCallsPerRun = 10;
/// Probabilities and gradients pass through BF16 on the way; relative to the largest value of their kind.
constexpr double kTolerance = 0.02;

config::Architecture shape_7b() {
  config::Architecture arch;
  arch.hidden = kWidth;
  arch.heads = arch.kv_heads = kHeads;
  return arch;
}

at::Device this_gpu() { return {at::kCUDA, 0}; }

DeviceBatch whole_rows() {
  const auto int32 = at::TensorOptions().dtype(at::kInt).device(this_gpu());
  DeviceBatch batch;
  batch.rows = kRows, batch.seq_len = kSeq;
  batch.position_T = at::arange(kTokens, int32).remainder(kSeq).to(at::kInt);
  batch.start = at::arange(0, kTokens + 1, kSeq, int32);
  batch.documents = kRows, batch.max_document = kSeq;
  return batch;
}

class AttentionTest {
 public:
  explicit AttentionTest(Context& context)
      : context_(context),
        stream_(c10::cuda::getStreamFromPool(/*isHighPriority=*/false, 0)),
        guard_(stream_),
        attention_(shape_7b(), kSeq, this_gpu()),
        batch_(whole_rows()) {}

  void run() {
    const auto bf16 = at::TensorOptions().dtype(at::kBFloat16).device(this_gpu());
    fresh_ = at::empty({kTokens, 3 * kWidth}, bf16).normal_();
    dout_ = at::empty({kTokens, kWidth}, bf16).normal_();
    dqkv_ = at::empty({kTokens, 3 * kWidth}, bf16);
    // Scores and their product with v, half of them masked; the backward pass has five such products.
    const double flops =
        2.0 * static_cast<double>(kTokens) * static_cast<double>(kSeq) * static_cast<double>(kWidth);
    at::Tensor qkv = fresh_.clone();
    measure(
        "attention_forward", flops, [&] { attention_.forward(qkv, batch_, saved_); },
        [&] {
          qkv.copy_(fresh_);
          attention_.forward(qkv, batch_, saved_);
          return wrong_forward(qkv);
        });
    measure(
        "attention_backward", 2.5 * flops, [&] { attention_.backward(dqkv_, dout_, qkv, batch_, saved_); },
        [&] { return wrong_backward(); });
  }

 private:
  void measure(const char* test, double flops, const std::function<void()>& call,
               const std::function<std::int64_t()>& check) {
    call();
    stream_.synchronize();
    const Runs runs = repeat(context_.suite, [&] {
      CudaEvent begin, end;
      const cudaStream_t stream = stream_.stream();
      begin.record(stream);
      for (int i = 0; i < kCallsPerRun; ++i) call();
      end.record(stream);
      end.synchronize();
      return begin.seconds_to(end) / kCallsPerRun;
    });
    context_.emit({test, "8 x 2048, 32 heads of 128, causal", "TFLOP/s", runs.rates(flops, 1e12), runs.stable,
                   check(), -1});
  }

  /// q, k, v (or one tensor) of the last row and head, FP32 on the host: (2048, parts * 128).
  at::Tensor one_head(const at::Tensor& t, std::int64_t parts) const {
    return t.view({kTokens, parts, kHeads, kHeadDim})
        .narrow(0, kTokens - kSeq, kSeq)
        .select(2, kHeads - 1)
        .to(at::kCPU, at::kFloat)
        .contiguous();
  }

  static std::int64_t count_wrong(const float* found, const float* expected, std::int64_t count) {
    float largest = 0;
    for (std::int64_t i = 0; i < count; ++i) largest = std::max(largest, std::abs(expected[i]));
    std::int64_t wrong = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      wrong += std::abs(found[i] - expected[i]) <= kTolerance * static_cast<double>(largest) ? 0 : 1;
    }
    return wrong;
  }

  std::int64_t wrong_forward(const at::Tensor& qkv) {
    head_ = one_head(qkv, 3);
    out_.resize(kSeq * kHeadDim);
    lse_.resize(kSeq);
    kernels::cpu::attention_forward(out_.data(), lse_.data(), head_.data_ptr<float>(), kSpan, 1, kSeq, 1, 1,
                                    kHeadDim);
    const at::Tensor found = one_head(saved_.out_THd, 1);
    return count_wrong(found.data_ptr<float>(), out_.data(), kSeq * kHeadDim);
  }

  std::int64_t wrong_backward() {
    std::vector<float> gradient(static_cast<std::size_t>(kSeq * 3 * kHeadDim));
    std::vector<std::int32_t> position(kSeq);
    for (std::int64_t i = 0; i < kSeq; ++i)
      position[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(i);
    const at::Tensor dout = one_head(dout_, 1), table = rope_table(kSeq, kHeadDim, shape_7b().rope_theta);
    kernels::cpu::attention_backward(gradient.data(), dout.data_ptr<float>(), head_.data_ptr<float>(),
                                     out_.data(), lse_.data(), kSpan, 1, kSeq, 1, 1, kHeadDim);
    kernels::cpu::rope_backward(gradient.data(), position.data(), table.data_ptr<float>(), kSeq, 1, 1,
                                kHeadDim);
    const at::Tensor found = one_head(dqkv_, 3);
    return count_wrong(found.data_ptr<float>(), gradient.data(), kSeq * 3 * kHeadDim);
  }

  static constexpr std::int32_t kSpan[2] = {0, static_cast<std::int32_t>(kSeq)};

  Context& context_;
  const c10::cuda::CUDAStream stream_;
  const c10::cuda::CUDAStreamGuard guard_;
  const Attention attention_;
  const DeviceBatch batch_;
  at::Tensor fresh_, dout_, dqkv_, head_;
  AttentionSaved saved_;
  std::vector<float> out_, lse_;
};

}  // namespace

extern const Test kAttention;
const Test kAttention = {"attention", needs_gpu, [](Context& context) {
                           const c10::InferenceMode no_autograd;
                           AttentionTest(context).run();
                         }};

}  // namespace sxb::engine::gpu
