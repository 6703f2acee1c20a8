#include "engine/train/step.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>

#include "engine/train/schedule.h"
#include "sxbench/base/clock.h"

namespace sxb::engine {

TrainStep::TrainStep(const config::Model& model, const Layout& layout, const Device& device, Communicator& comm,
                     ShardedParameters& parameters, Llama& llama, Loader& loader)
    : model_(model), layout_(layout), device_(device), comm_(comm), parameters_(parameters), llama_(llama),
      loader_(loader),
      token_unit_(1.0 / static_cast<double>(model.training.micro_batch * model.training.seq_len *
                                            model.training.grad_accumulation * comm.world())),
      sums_(device.zeros({kStepSums + comm.world()}, at::kDouble)), results_(device.zeros({3}, at::kFloat)),
      scalars_(device.zeros({3}, at::kFloat)) {
  device.clock->reserve(model.training.grad_accumulation, layout.count());
}

DeviceBatch TrainStep::to_device(const HostBatch& host) {
  // One transfer for everything: [token | target | position | start], int32.
  const std::int64_t T = host.T();
  const std::int64_t starts = static_cast<std::int64_t>(host.start.size());
  at::Tensor packed = at::empty({3 * T + starts}, at::TensorOptions().dtype(at::kInt).pinned_memory(device_.cuda()));
  std::int32_t* out = packed.data_ptr<std::int32_t>();
  out = std::copy(host.token.begin(), host.token.end(), out);
  out = std::copy(host.target.begin(), host.target.end(), out);
  out = std::copy(host.position.begin(), host.position.end(), out);
  std::copy(host.start.begin(), host.start.end(), out);
  if (device_.cuda()) packed = packed.to(device_.at, /*non_blocking=*/true);

  DeviceBatch batch;
  batch.rows = host.rows;
  batch.seq_len = host.seq_len;
  batch.token_T = packed.narrow(0, 0, T);
  batch.target_T = packed.narrow(0, T, T);
  batch.position_T = packed.narrow(0, 2 * T, T);
  batch.start = packed.narrow(0, 3 * T, starts);
  batch.documents = starts - 1;
  batch.max_document = host.max_document;
  batch.whole_rows = host.whole_rows;
  batch.loss_tokens = host.loss_tokens;
  return batch;
}

void TrainStep::micro_step(std::int64_t index, const HostBatch& host) {
  const DeviceBatch batch = to_device(host);
  parameters_.begin_micro_step(index);
  backward(forward(batch), batch);
}

Residual TrainStep::forward(const DeviceBatch& batch) {
  device_.enter(StepPhase::kForward);
  const Span phase(device_, Track::kCompute, "forward");
  const int embedding = layout_.embedding();
  ShardedParameters& p = parameters_;
  Residual stream;
  {
    const Span span(device_, Track::kCompute, "forward", embedding);
    stream = llama_.embed(batch, embedding_view(layout_, p.gather(embedding)));
    p.release(embedding);
  }
  for (int u = layout_.first_block(); u < layout_.head(); ++u) {
    const Span span(device_, Track::kCompute, "forward", u);
    const BlockView weights = block_view(layout_, p.gather(u));
    p.prefetch(u + 1);
    stream = llama_.block(u - 1, stream, weights, batch);
    p.release(u);
  }
  return stream;
}

void TrainStep::backward(const Residual& stream, const DeviceBatch& batch) {
  device_.enter(StepPhase::kBackward);
  const Span phase(device_, Track::kCompute, "backward");
  const int embedding = layout_.embedding();
  const int head = layout_.head();
  ShardedParameters& p = parameters_;
  at::Tensor dx;
  {
    const Span span(device_, Track::kCompute, "forward and backward", head);
    at::Tensor loss_sum = sums_[kLossSum];
    const HeadView weights = head_view(layout_, p.gather(head));
    dx = llama_.head_and_loss(stream, weights, head_view(layout_, p.gradients(head)), p.accumulate(), batch,
                              token_unit_, loss_sum);
    p.release(head);
    p.reduce(head);
  }
  for (int u = head - 1; u >= layout_.first_block(); --u) {
    const Span span(device_, Track::kCompute, "backward", u);
    const BlockView weights = block_view(layout_, p.gather(u));
    p.prefetch(u - 1);
    dx = llama_.block_backward(u - 1, dx, weights, block_view(layout_, p.gradients(u)), p.accumulate(), batch);
    p.release(u);
    p.reduce(u);
  }
  const Span span(device_, Track::kCompute, "backward", embedding);
  at::Tensor dtable = embedding_view(layout_, p.gradients(embedding));
  llama_.embed_backward(dx, dtable, p.accumulate(), batch);
  p.reduce(embedding);
}

StepFacts TrainStep::run(std::int64_t number, const StepResult* timed) {
  const config::Training& training = model_.training;
  StepFacts facts;
  facts.step = number;
  facts.lr = learning_rate(model_.optimizer, number, training.steps);
  device_.clock->begin();
  sums_.zero_();
  at::Tensor host_counts =
      at::zeros({sums_.numel()}, at::TensorOptions().dtype(at::kDouble).pinned_memory(device_.cuda()));
  double* counts = host_counts.data_ptr<double>();
  for (std::int64_t i = 0; i < training.grad_accumulation; ++i) {
    const std::int64_t before = monotonic_ns();
    const HostBatch host = loader_.next();
    facts.data_wait_ms += static_cast<double>(monotonic_ns() - before) / 1e6;
    counts[kLossTokens] += static_cast<double>(host.loss_tokens);
    counts[kTokens] += static_cast<double>(host.tokens);
    counts[kDocuments] += static_cast<double>(host.documents);
    counts[kSumLenSq] += host.sum_len_sq;
    facts.whole_rows = facts.whole_rows && host.whole_rows;
    micro_step(i, host);
    device_.enter(StepPhase::kOutside);  // the next batch may not be there yet
  }
  if (timed != nullptr) {
    facts.timed_step = timed->facts.step;
    counts[kStepSums + comm_.rank()] = timed->own_ms;
  }
  sums_.add_(host_counts.to(device_.at, /*non_blocking=*/true));
  device_.enter(StepPhase::kOptimizer);
  sum_over_ranks();
  update(number, facts.lr);
  device_.enter(StepPhase::kOutside);
  return facts;
}

/// The squared norm and the counts of all ranks.
void TrainStep::sum_over_ranks() {
  at::Tensor sum_sq = sums_[kSumSquares];
  parameters_.add_squares(sum_sq);
  // The small all-reduce joins the order of the others on the communication stream.
  device_.record_compute(sums_ready_);
  device_.comm_waits(sums_ready_);
  if (comm_.world() > 1) {
    const Span span(device_, Track::kCommunication, "sum over ranks");
    comm_.all_reduce(sums_.data_ptr(), sums_.data_ptr(), sums_.numel(), DType::kFloat64, RedOp::kSum, device_.comm_raw());
  }
  device_.record_comm(sums_reduced_);
  device_.compute_waits(sums_reduced_);
}

void TrainStep::update(std::int64_t number, double lr) {
  const config::Optimizer& o = model_.optimizer;
  if (device_.cuda()) {
    kernels::cuda::gradient_scale(results_.data_ptr<float>(), sums_.data_ptr<double>(), token_unit_, o.grad_clip,
                                  device_.compute_raw());
  } else {
    kernels::cpu::gradient_scale(results_.data_ptr<float>(), sums_.data_ptr<double>(), token_unit_, o.grad_clip);
  }
  const double n = static_cast<double>(number);
  at::Tensor scalars = at::empty({3}, at::TensorOptions().dtype(at::kFloat).pinned_memory(device_.cuda()));
  *reinterpret_cast<kernels::AdamWStep*>(scalars.data_ptr<float>()) = {
      static_cast<float>(lr), static_cast<float>(1 - std::pow(o.beta1, n)), static_cast<float>(1 - std::pow(o.beta2, n))};
  scalars_.copy_(scalars, /*non_blocking=*/true);
  const kernels::AdamW constants{static_cast<float>(o.beta1), static_cast<float>(o.beta2), static_cast<float>(o.eps),
                                 static_cast<float>(o.weight_decay)};
  parameters_.optimizer_step(constants, scalars_, results_[0]);
}

}  // namespace sxb::engine
