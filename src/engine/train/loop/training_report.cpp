#include "engine/train/loop/training_report.h"

#include <c10/cuda/CUDACachingAllocator.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <utility>

#include "engine/attention/attention.h"
#include "engine/comm/nccl/nccl_memory.h"
#include "engine/train/loop/step.h"
#include "engine/train/model/flops.h"
#include "record/kinds/node.h"
#include "record/kinds/training.h"
#include "stats/stats.h"

namespace sxb::engine::train {
namespace {

/// The largest resident set of this process so far (VmHWM), in bytes.
std::int64_t peak_resident_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmHWM:", 0) == 0) return std::stoll(line.substr(6)) * 1024;
  }
  return 0;
}

std::int64_t peak_memory_bytes(bool cuda) {
  if (!cuda) return peak_resident_bytes();
  const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(0);
  // Buffers of collectives are there from the first step to the last.
  return stats.allocated_bytes[static_cast<std::size_t>(c10::CachingAllocator::StatType::AGGREGATE)].peak +
         comm::NcclMemory::allocated_bytes();
}

}  // namespace

TrainingReport::TrainingReport(const plan::RankTask& task, comm::Communicator& comm, const Emitter& emitter)
    : task_(task), model_(task.task.model), training_(model_.training), comm_(comm), emitter_(emitter) {}

void TrainingReport::take(const StepResult& r) {
  whole_rows_ = whole_rows_ && r.facts.whole_rows;
  if (!std::isfinite(r.loss) || !std::isfinite(r.grad_norm)) {
    throw EngineError("loss or gradient norm is not finite at step " + std::to_string(r.facts.step),
                      "nan_loss",
                      "lower the learning rate (--set optimizer.lr=...), lengthen "
                      "optimizer.schedule.warmup_steps, or check the "
                      "initial weights");
  }
  if (r.loss_tokens <= 0) ++untaught_;
  ++taken_;
  if (measured(r.facts.step)) {
    if (own_ms_.empty()) window_begin_ns_ = r.begin_ns;
    own_ms_.push_back(r.own_ms);
    phases_.push_back(r.phases);
  }
  window_end_ns_ = r.end_ns;
  untimed_.push_back(r);
  for (auto timed = untimed_.begin(); timed != untimed_.end(); ++timed) {
    if (timed->facts.step != r.facts.timed_step) continue;
    timed->longest_ms = r.timed_step_longest_ms;
    emit_step(*timed);
    untimed_.erase(timed);
    break;
  }
}

/// What a process does for the first time, a resumed one does again in its first steps.
bool TrainingReport::measured(std::int64_t step) const {
  constexpr std::int64_t kFirstTimes = TrainStep::kLaunchedSteps + 1;
  const std::int64_t again = resumed_ > 0 ? std::min(training_.warmup, kFirstTimes) : 0;
  return step > std::max(training_.warmup, resumed_ + again);
}

void TrainingReport::emit_step(const StepResult& r) {
  if (comm_.rank() != 0) return;

  const double tokens_per_s = r.tokens / (r.longest_ms / 1e3);
  const FlopsPerToken flops = flops_per_token(model_.arch, r.tokens > 0 ? r.sum_len_sq / r.tokens : 0);
  const std::int64_t samples = training_.micro_batch * training_.grad_accumulation * comm_.world();
  record::Step step;
  step.step = r.facts.step;
  if (r.loss_tokens > 0) step.loss = r.loss;
  step.lr = r.facts.lr;
  step.grad_norm = r.grad_norm;
  step.tokens = static_cast<std::int64_t>(r.tokens);
  step.loss_tokens = static_cast<std::int64_t>(r.loss_tokens);
  step.samples = samples;
  step.documents = static_cast<std::int64_t>(r.documents);
  step.sum_len_sq = task_.dataset_dir.empty() ? 0.0 : r.sum_len_sq;
  step.step_time_ms = r.longest_ms;
  step.data_wait_ms = r.facts.data_wait_ms;
  step.forward_ms = r.phases.forward_ms;
  step.backward_ms = r.phases.backward_ms;
  step.optimizer_ms = r.phases.optimizer_ms;
  step.exposed_comm_ms = r.phases.exposed_comm_ms;
  step.tokens_per_s = tokens_per_s;
  if (task_.peak_tflops > 0) {
    step.mfu = flops.causal * tokens_per_s / (task_.peak_tflops * 1e12 * comm_.world());
  }
  step.memory_bytes = peak_memory_bytes(task_.cuda);
  step.begin_ns = r.begin_ns;
  step.end_ns = r.end_ns;
  step.measured = measured(r.facts.step);
  emitter_.emit(step);
  if (listener_) listener_(step);
}

void TrainingReport::finish(const TrainingFacts& facts) {
  for (StepResult& r : untimed_) {  // the last steps: nothing runs any more, so ask directly
    r.longest_ms = comm_.max_over_ranks(r.own_ms);
    emit_step(r);
  }
  if (task_.local_rank == 0 && !own_ms_.empty()) {
    emitter_.emit(record::Window{"measured", window_begin_ns_, window_end_ns_});
  }
  emit_rank();
  if (!own_ms_.empty()) emit_phases();
  if (comm_.rank() != 0) return;
  if (untaught_ > 0) {
    emitter_.finding(
        "warning", "no_loss_tokens",
        std::to_string(untaught_) + " of " + std::to_string(taken_) +
            " steps had no token that counts in the loss: they have no loss and changed no weight, "
            "and count in the throughput",
        "prompts as long as a row leave no response in it: longer rows with --set "
        "training.seq_len=N, or other data");
  }
  emit_training(facts);
}

void TrainingReport::emit_rank() {
  const std::int64_t predicted = plan::estimate_memory(model_, plan::ranks_of(task_)).total();
  record::Rank rank;
  rank.gpu = task_.cuda ? task_.gpu : -1;
  if (!own_ms_.empty()) rank.step_time_ms_median = stats::median(own_ms_);
  rank.peak_memory_bytes = peak_memory_bytes(task_.cuda);
  rank.predicted_memory_bytes = predicted;
  emitter_.emit(rank);
}

void TrainingReport::emit_phases() {
  const auto median_of = [&](double PhaseTimes::*phase) {
    std::vector<double> values;
    for (const PhaseTimes& times : phases_) values.push_back(times.*phase);
    return stats::median(values);
  };
  record::Phases phases;
  phases.steps = static_cast<std::int64_t>(phases_.size());
  phases.step_ms = stats::median(own_ms_);
  phases.forward_ms = median_of(&PhaseTimes::forward_ms);
  phases.backward_ms = median_of(&PhaseTimes::backward_ms);
  phases.optimizer_ms = median_of(&PhaseTimes::optimizer_ms);
  phases.exposed_comm_ms = median_of(&PhaseTimes::exposed_comm_ms);
  emitter_.emit(phases);
}

void TrainingReport::emit_training(const TrainingFacts& facts) {
  const FlopsPerToken flops = flops_per_token(model_.arch, static_cast<double>(training_.seq_len));
  const bool packed = facts.dataset != nullptr;
  record::Training training;
  training.model = model_.name;
  training.parameters = model_.arch.parameters();
  training.matmul_parameters = model_.arch.matmul_parameters();
  training.precision = facts.bf16 ? "bf16" : "fp32";
  training.sharding = config::to_string(facts.sharding.sharding);
  training.sharding_reason = facts.sharding.reason;
  training.resident_blocks = training_.resident_blocks;
  training.offload = config::to_string(training_.offload);
  training.communication = facts.communication;
  training.recompute = config::to_string(training_.recompute);
  training.attention_kernel = Attention::kernel(task_.cuda, whole_rows_);
  training.gemm = facts.gemm;
  training.cuda_graph = facts.graph_obstacle.empty() ? "replayed" : facts.graph_obstacle;
  training.seq_len = training_.seq_len;
  training.micro_batch = training_.micro_batch;
  training.grad_accumulation = training_.grad_accumulation;
  training.world = comm_.world();
  training.flops_per_token_causal = flops.causal;
  training.flops_per_token_full = flops.full;
  if (task_.peak_tflops > 0) training.peak_tflops = task_.peak_tflops;
  training.dataset = packed ? facts.dataset->name() : "synthetic";
  training.dataset_hash = packed ? facts.dataset->hash() : "";
  training.tokenizer_hash = packed ? facts.dataset->tokenizer_hash() : "";
  training.init =
      model_.init_from.empty() ? "random(" + std::to_string(training_.seed) + ")" : model_.init_from;
  training.steps = training_.steps;
  training.warmup = training_.warmup;
  emitter_.emit(training);
}

}  // namespace sxb::engine::train
