#include "engine/kernel_bench/kernel_bench.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <c10/cuda/CUDACachingAllocator.h>

#include <array>
#include <cmath>
#include <vector>

#include "base/clock.h"
#include "engine/train/model/llama.h"
#include "engine/train/model/ops.h"
#include "plan/memory.h"
#include "stats/stats.h"

namespace sxb::engine::kernel_bench {
namespace {

namespace ops = train::ops;
using train::Device;
using train::Gemm;
using train::StepEvent;

using Call = std::function<void()>;

/// Long enough for the clocks to settle, then enough calls for a median.
constexpr std::int64_t kHeatNs = 300'000'000;
constexpr std::int64_t kTimedNs = 400'000'000;
constexpr std::size_t kLeastCalls = 30;
/// Calls that are queued ahead, so that the GPU never waits for the host.
constexpr std::size_t kBatch = 10;

class KernelBench {
 public:
  KernelBench(const config::Model& model, comm::Communicator& comm,
              const std::function<void(const KernelTime&)>& emit);
  void run();

 private:
  void norms();
  void rope();
  void swiglu();
  void cross_entropy();
  void embedding();
  void optimizer();
  void products();
  void attention();

  double median_us(const Call& call) const;
  /// Moves `bytes`; `aten` may be empty.
  void move(const std::string& kernel, const std::string& shape, double bytes, const Call& ours,
            const Call& aten);
  void compute(const std::string& kernel, const std::string& shape, double flops, const Call& ours,
               const Call& aten);
  at::Tensor randn(at::IntArrayRef shape) const { return device_.empty(shape).normal_(); }
  DeviceBatch whole_rows() const;
  std::string shape(std::int64_t columns) const {
    return std::to_string(T_) + " x " + std::to_string(columns);
  }

  const config::Architecture& a_;
  const std::int64_t rows_, S_, T_, D_, W_;
  comm::Communicator& comm_;
  const std::function<void(const KernelTime&)>& emit_;
  const Device device_;
  const c10::cuda::CUDAStreamGuard stream_;
};

KernelBench::KernelBench(const config::Model& model, comm::Communicator& comm,
                         const std::function<void(const KernelTime&)>& emit)
    : a_(model.arch),
      rows_(model.training.micro_batch),
      S_(model.training.seq_len),
      T_(rows_ * S_),
      D_(a_.hidden),
      W_(D_ + 2 * a_.kv_heads * a_.head_dim()),
      comm_(comm),
      emit_(emit),
      device_(Device::make(true, true)),
      stream_(*device_.compute_stream) {}

double KernelBench::median_us(const Call& call) const {
  call();  // loads the kernels
  device_.synchronize();
  std::vector<double> us;
  const std::int64_t begin = monotonic_ns();
  while (us.size() < kLeastCalls || monotonic_ns() - begin < kHeatNs + kTimedNs) {
    const bool hot = monotonic_ns() - begin >= kHeatNs;
    std::array<StepEvent, kBatch + 1> marks;
    for (std::size_t i = 0; i <= kBatch; ++i) {
      if (i > 0) call();
      marks[i] = StepEvent(CudaEvent::Timing::kOn);
      device_.record_compute(marks[i]);
    }
    marks.back().synchronize();
    for (std::size_t i = 0; hot && i < kBatch; ++i)
      us.push_back(marks[i].milliseconds_to(marks[i + 1]) * 1e3);
  }
  return stats::median(us);
}

void KernelBench::move(const std::string& kernel, const std::string& shape, double bytes, const Call& ours,
                       const Call& aten) {
  KernelTime time{kernel, shape, median_us(ours), bytes, 0, {}};
  if (aten) time.aten_us = median_us(aten);
  emit_(time);
}

void KernelBench::compute(const std::string& kernel, const std::string& shape, double flops, const Call& ours,
                          const Call& aten) {
  KernelTime time{kernel, shape, median_us(ours), 0, flops, {}};
  if (aten) time.aten_us = median_us(aten);
  emit_(time);
}

DeviceBatch KernelBench::whole_rows() const {
  const auto int32 = at::TensorOptions().dtype(at::kInt).device(device_.at);
  DeviceBatch batch;
  batch.rows = rows_, batch.seq_len = S_;
  batch.position_T = at::arange(T_, int32).remainder(S_).to(at::kInt);
  batch.start = at::arange(0, T_ + 1, S_, int32);
  batch.documents = rows_, batch.max_document = S_;
  return batch;
}

void KernelBench::norms() {
  const double pass = 2.0 * static_cast<double>(T_ * D_);
  const at::Tensor x = randn({T_, D_}), delta = randn({T_, D_}), w = randn({D_}), residual = randn({T_, D_}),
                   none;
  at::Tensor out = randn({T_, D_}), sum = randn({T_, D_}), dout = randn({T_, D_}), dx = randn({T_, D_});
  at::Tensor rstd = device_.empty({T_}, at::kFloat), dw = randn({D_});
  at::Tensor scratch = device_.empty({ops::rmsnorm_scratch(D_)}, at::kFloat);
  move(
      "residual + RMSNorm forward", shape(D_), 4 * pass,
      [&] { ops::rmsnorm(out, sum, rstd, x, delta, w, a_.norm_eps); },
      [&] { at::_fused_rms_norm(at::add(x, delta), {D_}, w, a_.norm_eps); });
  const at::Tensor aten_rstd = std::get<1>(at::_fused_rms_norm(sum, {D_}, w, a_.norm_eps));
  const Call aten = [&] {
    std::get<0>(at::_fused_rms_norm_backward(dout, sum, {D_}, aten_rstd, w, {true, true})).add_(residual);
  };
  move(
      "residual + RMSNorm backward", shape(D_), 4 * pass,
      [&] { ops::rmsnorm_backward(dx, dw, false, dout, false, residual, sum, rstd, w, scratch); }, aten);
  move("residual + RMSNorm backward, output restored", shape(D_), 5 * pass,
       [&] { ops::rmsnorm_backward(dx, dw, false, dout, true, residual, sum, rstd, w, scratch); }, {});
}

void KernelBench::rope() {
  const std::int64_t H = a_.heads, K = a_.kv_heads, d = a_.head_dim();
  const at::Tensor position = whole_rows().position_T;
  const at::Tensor table = rope_table(S_, d, a_.rope_theta).to(device_.at);
  at::Tensor qkv = randn({T_, W_});
  const at::Tensor dq = randn({T_, H, d}), dk = randn({T_, K, d}), dv = randn({T_, K, d});
  const at::Tensor at_position = table.index_select(0, position);  // (T, d/2, 2)
  const at::Tensor c = at_position.select(2, 0).repeat({1, 2}).unsqueeze(1).to(at::kBFloat16);
  const at::Tensor s = at_position.select(2, 1).repeat({1, 2}).unsqueeze(1).to(at::kBFloat16);
  const auto rotated = [&](const at::Tensor& x, const at::Tensor& sine) {
    const at::Tensor half = at::cat({x.narrow(2, d / 2, d / 2).neg(), x.narrow(2, 0, d / 2)}, 2);
    return at::add(at::mul(x, c), at::mul(half, sine));
  };
  const auto* at = position.data_ptr<std::int32_t>();
  const auto strided = [&](const at::Tensor& t) {
    return kernels::cuda::Strided{t.data_ptr(), S_ * t.stride(0), t.stride(0), t.stride(1)};
  };
  move(
      "RoPE forward, in place in q|k|v", shape((H + K) * d), 2.0 * 2 * static_cast<double>(T_ * (H + K) * d),
      [&] {
        kernels::cuda::rope_forward(kernels::Type::kBFloat16, qkv.data_ptr(), at, table.data_ptr<float>(), T_,
                                    H, K, d, device_.compute_raw());
      },
      [&] {
        at::Tensor qk = qkv.view({T_, H + 2 * K, d}).narrow(1, 0, H + K);
        qk.copy_(rotated(qk, s));
      });
  move(
      "RoPE backward, gathering dq, dk, dv", shape(W_), 2.0 * 2 * static_cast<double>(T_ * W_),
      [&] {
        kernels::cuda::rope_backward_gather(kernels::Type::kBFloat16, qkv.data_ptr(), strided(dq),
                                            strided(dk), strided(dv), at, table.data_ptr<float>(), rows_, S_,
                                            H, K, d, device_.compute_raw());
      },
      [&] {
        at::cat({rotated(dq, s.neg()), rotated(dk, s.neg()), dv}, 1);
      });
}

void KernelBench::swiglu() {
  const std::int64_t F = a_.ffn;
  const double pass = 2.0 * static_cast<double>(T_ * F);
  at::Tensor gate_up = randn({T_, 2 * F}), out = randn({T_, F}), dout = randn({T_, F});
  const at::Tensor gate = gate_up.narrow(1, 0, F), up = gate_up.narrow(1, F, F);
  move(
      "SwiGLU forward", shape(F), 3 * pass, [&] { ops::swiglu(out, gate_up); },
      [&] { at::silu(gate).mul_(up); });
  move(
      "SwiGLU backward", shape(F), 5 * pass, [&] { ops::swiglu_backward(gate_up, dout, false); },
      [&] {
        at::mul(dout, at::silu(gate));
        at::silu_backward(at::mul(dout, up), gate);
      });
  move("SwiGLU backward, product restored", shape(F), 6 * pass,
       [&] { ops::swiglu_backward(gate_up, dout, true); }, {});
}

void KernelBench::cross_entropy() {
  const std::int64_t chunk = plan::head_chunk(T_, a_.vocab);
  at::Tensor logits = randn({chunk, a_.vocab}), loss = device_.empty({chunk}, at::kFloat);
  const at::Tensor target = at::randint(a_.vocab, {chunk}, loss.options()).to(at::kInt);
  const at::Tensor target64 = target.to(at::kLong), one = at::ones({}, logits.options());
  const Call aten = [&] {
    const at::Tensor logp = at::_log_softmax(logits, 1, false);
    const auto [sum, weight] = at::nll_loss_forward(logp, target64, std::nullopt, at::Reduction::Sum, -100);
    const at::Tensor grad =
        at::nll_loss_backward(one, logp, target64, std::nullopt, at::Reduction::Sum, -100, weight);
    at::_log_softmax_backward_data(grad, logp, 1, at::kBFloat16);
  };
  move(
      "cross-entropy forward + backward, in place", std::to_string(chunk) + " x " + std::to_string(a_.vocab),
      2.0 * 2 * static_cast<double>(logits.numel()), [&] { ops::cross_entropy(logits, loss, target, 1.0); },
      aten);
}

void KernelBench::embedding() {
  const at::Tensor table = randn({a_.vocab, D_}), dout = randn({T_, D_});
  const at::Tensor token = at::randint(a_.vocab, {T_}, table.options().dtype(at::kFloat)).to(at::kInt);
  at::Tensor out = randn({T_, D_}), dtable = randn({a_.vocab, D_});
  const double rows = 2.0 * static_cast<double>(T_ * D_);
  move(
      "embedding forward", shape(D_), 2 * rows, [&] { ops::embedding(out, table, token); },
      [&] { at::embedding(table, token); });
  move(
      "embedding backward", shape(D_), rows + 2.0 * static_cast<double>(a_.vocab * D_),
      [&] { ops::embedding_backward(dtable, false, dout, token); },
      [&] { at::embedding_dense_backward(dout, token, a_.vocab, -1, false); });
}

void KernelBench::optimizer() {
  const std::int64_t n = train::make_layout(a_, 1).units[1].numel;  // a whole block
  const std::string elements = std::to_string(n);
  const auto f32 = [&](double value) { return device_.zeros({1}, at::kFloat).fill_(value); };
  const at::Tensor grad = randn({n});
  at::Tensor master = device_.empty({n}, at::kFloat).normal_(), m = device_.zeros({n}, at::kFloat);
  at::Tensor v = device_.zeros({n}, at::kFloat), param = randn({n});
  const at::Tensor scale = f32(1), found_inf = f32(0), count = f32(1);
  const at::Tensor step = at::tensor({1e-5f, 0.1f, 0.001f}).to(device_.at);  // an AdamWStep
  const kernels::AdamW constants(0.9, 0.999, 1e-8, 0.1);
  // 3 FP32 states read and written, the gradient read, the weight written.
  move(
      "AdamW + clip + BF16 weight", elements, 28.0 * static_cast<double>(n),
      [&] {
        kernels::cuda::adamw(kernels::Type::kBFloat16, param.data_ptr(), master.data_ptr<float>(),
                             m.data_ptr<float>(), v.data_ptr<float>(), kernels::Type::kBFloat16,
                             grad.data_ptr(), scale.data_ptr<float>(),
                             reinterpret_cast<const kernels::AdamWStep*>(step.data_ptr<float>()), constants,
                             n, device_.compute_raw());
      },
      [&] {
        const std::vector<at::Tensor> masters = {master}, grads = {grad.to(at::kFloat)}, ms = {m}, vs = {v};
        const std::vector<at::Tensor> counts = {count};
        at::_fused_adamw_(masters, grads, ms, vs, {}, counts, 1e-5, 0.9, 0.999, 0.1, 1e-8, false, false,
                          scale, found_inf);
        param.copy_(master);
      });
  at::Tensor sum = device_.zeros({1}, at::kDouble);
  at::Tensor partial = device_.empty({kernels::cuda::kSumOfSquaresScratch}, at::kFloat);
  move(
      "sum of squares", elements, 2.0 * static_cast<double>(n),
      [&] {
        kernels::cuda::sum_of_squares(kernels::Type::kBFloat16, sum.data_ptr<double>(), grad.data_ptr(),
                                      partial.data_ptr<float>(), n, device_.compute_raw());
      },
      [&] { at::linalg_vector_norm(grad, 2, std::nullopt, false, at::kFloat); });
}

void KernelBench::products() {
  Gemm gemm;
  const std::vector<Gemm::Layer> layers = train::gemm_layers(a_, T_);
  gemm.tune(layers, comm_, Gemm::cache_file());
  const std::array<const char*, 5> names = {"q|k|v", "attention output", "gate|up", "down", "head"};
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const auto [M, N, K] = layers[i];
    at::Tensor x = randn({M, K}), w = randn({N, K}), y = randn({M, N});
    const double flops = 2.0 * static_cast<double>(M) * static_cast<double>(N) * static_cast<double>(K);
    const std::string dims = std::to_string(M) + " x " + std::to_string(N) + " x " + std::to_string(K);
    const std::string name = std::string("GEMM ") + names[i];
    compute(
        name + " forward", dims, flops, [&] { gemm.linear(y, x, w); }, [&] { at::mm_out(y, x, w.t()); });
    compute(
        name + " input gradient", dims, flops, [&] { gemm.input_grad(x, y, w); },
        [&] { at::mm_out(x, y, w); });
    y.normal_(), x.normal_();
    compute(
        name + " weight gradient", dims, flops, [&] { gemm.weight_grad(w, false, y, x); },
        [&] { at::mm_out(w, y.t(), x); });
  }
}

void KernelBench::attention() {
  const Attention attention(a_, S_, device_.at);
  const DeviceBatch batch = whole_rows();
  const at::Tensor fresh = randn({T_, W_}), dout = randn({T_, D_});
  at::Tensor qkv = fresh.clone(), dqkv = randn({T_, W_});
  AttentionSaved saved;
  // Scores and their product with v, half of them masked; the backward pass has five such products.
  const double pair = 2.0 * static_cast<double>(T_) * static_cast<double>(S_) * static_cast<double>(D_);
  const std::string dims = std::to_string(rows_) + " x " + std::to_string(S_) + ", " +
                           std::to_string(a_.heads) + " heads of " + std::to_string(a_.head_dim());
  compute("RoPE + attention forward", dims, pair, [&] { attention.forward(qkv, batch, saved); }, {});
  compute("attention backward + RoPE", dims, 2.5 * pair,
          [&] { attention.backward(dqkv, dout, qkv, batch, saved); }, {});
}

void KernelBench::run() {
  const auto group = [this](void (KernelBench::*part)()) {
    (this->*part)();
    c10::cuda::CUDACachingAllocator::emptyCache();
  };
  for (auto part :
       {&KernelBench::norms, &KernelBench::rope, &KernelBench::swiglu, &KernelBench::cross_entropy,
        &KernelBench::embedding, &KernelBench::optimizer, &KernelBench::products, &KernelBench::attention}) {
    group(part);
  }
}

}  // namespace

void bench_kernels(const config::Model& model, comm::Communicator& comm,
                   const std::function<void(const KernelTime&)>& emit) {
  const c10::InferenceMode no_autograd;
  KernelBench(model, comm, emit).run();
}

}  // namespace sxb::engine::kernel_bench
