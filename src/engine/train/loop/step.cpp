#include "engine/train/loop/step.h"

#include <c10/cuda/CUDACachingAllocator.h>

#include <cmath>
#include <exception>
#include <string>
#include <utility>

#include "base/clock.h"
#include "engine/train/loop/schedule.h"

namespace sxb::engine::train {

TrainStep::TrainStep(const config::Model& model, const Layout& layout, const Device& device,
                     comm::Communicator& comm, ShardedParameters& parameters, Llama& llama, Loader& loader,
                     bool graph)
    : model_(model),
      layout_(layout),
      device_(device),
      comm_(comm),
      parameters_(parameters),
      llama_(llama),
      loader_(loader),
      uses_graph_(graph),
      token_unit_(1.0 / static_cast<double>(model.training.micro_batch * model.training.seq_len *
                                            model.training.grad_accumulation * comm.world())),
      inputs_(device, kStepSums + comm.world(), model.training.grad_accumulation, model.training.micro_batch,
              model.training.seq_len),
      sums_(device.zeros({kStepSums + comm.world()}, at::kDouble)),
      results_(device.zeros({3}, at::kFloat)) {
  device.clock->reserve(model.training.grad_accumulation, layout.count());
}

// --- the order of launches -----------------------------------------------------------------------

StepFacts TrainStep::run(std::int64_t number, const StepResult* timed, const CheckpointVote& vote) {
  // What the schedule says of this step.
  StepFacts facts;
  facts.step = number;
  facts.lr = learning_rate(model_.optimizer, number, model_.training.steps);
  // Inputs: the batches, their counts and the scalars of the AdamW that runs now, in one copy.
  inputs_.begin();
  load(facts, timed, vote);
  const std::int64_t updates_before = progress_.updates + (due_ ? 1 : 0);
  const kernels::AdamWStep own = adamw_of(updates_before + 1, facts.lr);
  inputs_.adamw() = due_ ? *due_ : own;
  inputs_.send();
  // The work: AdamW of the step before and this step's gradients replayed, or this step launched. Without a
  // token to learn from there is no gradient, and moments and decay would move the weights all the same.
  const bool leaves_update = uses_graph_ && launched_ + 1 >= kLaunchedSteps;
  if (due_) {
    replay();
    updated(number - 1);
  } else {
    launch(!leaves_update && facts.teaches);
    ++launched_;
    if (!leaves_update && facts.teaches) updated(number);
    if (!facts.teaches) progress_.step = number;
  }
  // With a graph this step's own AdamW opens the next replay. Its tokens are synthetic and all count.
  if (leaves_update) due_ = own;
  return facts;
}

void TrainStep::updated(std::int64_t step) {
  progress_.step = step;
  ++progress_.updates;
}

/// Not while a graph is recorded: nothing in it can wait for what is outside.
void TrainStep::wait_for_readers() {
  if (state_read_ != nullptr && device_.cuda()) state_read_->block(*device_.compute_stream);
}

void TrainStep::replay() {
  if (!graph_) record_graph();
  wait_for_readers();
  graph_->replay();
}

void TrainStep::launch(bool with_update) {
  device_.clock->begin();
  gradients();
  if (with_update) {
    wait_for_readers();
    update();
  }
  device_.enter(StepPhase::kOutside);
}

void TrainStep::finish() {
  if (!due_) return;
  inputs_.begin();
  inputs_.adamw() = *std::exchange(due_, std::nullopt);
  inputs_.send();
  drop_graph();
  device_.clock->begin();
  wait_for_readers();
  update();
  updated(progress_.step + 1);
}

void TrainStep::run_traced() {
  StepFacts facts;
  facts.step = progress_.step + 1;
  inputs_.begin();
  inputs_.adamw() = adamw_of(progress_.updates + 1, 0);  // a learning rate of 0 leaves every weight as it is
  load(facts, nullptr, {});
  inputs_.send();
  device_.clock->trace(true);
  device_.clock->begin();
  {
    const Span step(device_, Track::kCompute, "step");
    gradients();
    wait_for_readers();
    update();
    device_.enter(StepPhase::kOutside);
  }
  device_.clock->trace(false);
  device_.synchronize();
}

void TrainStep::record_graph() {
  // The attention library's outputs move into the graph's own memory: hand back those of the launched
  // steps first, or they would stay beside them.
  llama_.release_attention();
  c10::cuda::CUDACachingAllocator::emptyCache();
  try {
    device_.join_streams();
    graph_.emplace();
    graph_->capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
    device_.join_streams();
    device_.clock->begin();
    update();
    gradients();
    device_.enter(StepPhase::kOutside);
    device_.join_streams();
    graph_->capture_end();
  } catch (const std::exception& error) {
    throw EngineError(std::string("the step cannot be recorded as a CUDA graph: ") + error.what(),
                      "cuda_graph_failed", "--set training.cuda_graph=off");
  }
}

/// Nothing of the graph may run any more.
void TrainStep::drop_graph() {
  device_.synchronize();
  graph_.reset();
  llama_.release_attention();
  c10::cuda::CUDACachingAllocator::emptyCache();
  device_.join_streams();
}

// --- inputs --------------------------------------------------------------------------------------

/// The next batches, their counts, and the time of `timed`.
void TrainStep::load(StepFacts& facts, const StepResult* timed, const CheckpointVote& vote) {
  double* counts = inputs_.counts();
  for (std::int64_t i = 0; i < model_.training.grad_accumulation; ++i) {
    const std::int64_t before = monotonic_ns();
    const HostBatch host = loader_.next();
    facts.data_wait_ms += static_cast<double>(monotonic_ns() - before) / 1e6;
    facts.whole_rows = facts.whole_rows && host.whole_rows;
    counts[kLossTokens] += static_cast<double>(host.loss_tokens);
    counts[kTokens] += static_cast<double>(host.tokens);
    counts[kDocuments] += static_cast<double>(host.documents);
    counts[kSumLenSq] += host.sum_len_sq;
    inputs_.set_batch(i, host);
  }
  counts[kCheckpointDue] = vote.due ? 1 : 0;
  counts[kCheckpointBusy] = vote.busy ? 1 : 0;
  counts[kCheckpointFailed] = vote.failed ? 1 : 0;
  // A rank with tokens of its own need not ask for those of others.
  const std::int64_t micro_steps = model_.training.grad_accumulation;
  facts.teaches =
      counts[kLossTokens] > 0 || loader_.any_loss_tokens((facts.step - 1) * micro_steps, micro_steps);
  if (timed == nullptr) return;
  facts.timed_step = timed->facts.step;
  counts[kStepSums + comm_.rank()] = timed->own_ms;
}

kernels::AdamWStep TrainStep::adamw_of(std::int64_t updates, double lr) const {
  const config::Optimizer& o = model_.optimizer;
  const double n = static_cast<double>(updates);
  return {static_cast<float>(lr), static_cast<float>(1 - std::pow(o.beta1, n)),
          static_cast<float>(1 - std::pow(o.beta2, n))};
}

// --- the work ------------------------------------------------------------------------------------

/// From the inputs to the reduced gradients, their norm and the loss.
void TrainStep::gradients() {
  // The counts of the batches are the first summands of what all ranks sum.
  sums_.copy_(inputs_.device_counts());
  // Micro-steps: each adds to the gradients; the last one's are reduced as they come.
  for (std::int64_t i = 0; i < model_.training.grad_accumulation; ++i) {
    const DeviceBatch& batch = inputs_.batch(i);
    parameters_.begin_micro_step(i);
    backward(forward(batch), batch);
  }
  // Norm, loss and counts over all ranks, and the scale that AdamW applies.
  sum_over_ranks();
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
    dx =
        llama_.block_backward(u - 1, dx, weights, block_view(layout_, p.gradients(u)), p.accumulate(), batch);
    p.release(u);
    p.reduce(u);
  }
  const Span span(device_, Track::kCompute, "backward", embedding);
  at::Tensor dtable = embedding_view(layout_, p.gradients(embedding));
  llama_.embed_backward(dx, dtable, p.accumulate(), batch);
  p.reduce(embedding);
}

/// The squared norm and the counts of all ranks, and the scale of the gradients that follows.
void TrainStep::sum_over_ranks() {
  device_.enter(StepPhase::kOptimizer);
  const Span phase(device_, Track::kCompute, "gradient norm");
  at::Tensor sum_sq = sums_[kSumSquares];
  parameters_.add_squares(sum_sq);
  // The small all-reduce joins the order of the others on the communication stream.
  device_.record_compute(sums_ready_);
  device_.comm_waits(sums_ready_);
  if (comm_.world() > 1) {
    const Span span(device_, Track::kCommunication, "sum over ranks");
    comm_.all_reduce(sums_.data_ptr(), sums_.data_ptr(), sums_.numel(), DType::kFloat64, RedOp::kSum,
                     device_.comm_raw());
  }
  device_.record_comm(sums_reduced_);
  device_.compute_waits(sums_reduced_);
  const double clip = model_.optimizer.grad_clip;
  if (device_.cuda()) {
    kernels::cuda::gradient_scale(results_.data_ptr<float>(), sums_.data_ptr<double>(), token_unit_, clip,
                                  device_.compute_raw());
  } else {
    kernels::cpu::gradient_scale(results_.data_ptr<float>(), sums_.data_ptr<double>(), token_unit_, clip);
  }
}

void TrainStep::update() {
  device_.enter(StepPhase::kOptimizer);
  const Span phase(device_, Track::kCompute, "optimizer");
  const config::Optimizer& o = model_.optimizer;
  const kernels::AdamW constants(o.beta1, o.beta2, o.eps, o.weight_decay);
  parameters_.optimizer_step(constants, inputs_.device_adamw(), results_[0]);
}

}  // namespace sxb::engine::train
