#include "engine/train/loop/training_report.h"

#include <c10/cuda/CUDACachingAllocator.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <utility>

#include "engine/attention/attention.h"
#include "engine/comm/nccl/nccl_memory.h"
#include "engine/train/model/flops.h"
#include "record/record.h"

namespace sxb::engine {
namespace {

namespace kind = record::kind;

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
         NcclMemory::allocated_bytes();
}

/// Of at least one value.
double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

}  // namespace

TrainingReport::TrainingReport(const plan::RankTask& task, Communicator& comm, const EmitRecord& emit)
    : task_(task), model_(task.task.model), training_(model_.training), comm_(comm), emit_(emit) {}

void TrainingReport::take(const StepResult& r) {
  whole_rows_ = whole_rows_ && r.facts.whole_rows;
  if (!std::isfinite(r.loss) || !std::isfinite(r.grad_norm)) {
    throw EngineError("loss or gradient norm is not finite at step " + std::to_string(r.facts.step),
                      "nan_loss",
                      "lower the learning rate (--set optimizer.lr=...), lengthen "
                      "optimizer.schedule.warmup_steps, or check the "
                      "initial weights");
  }
  if (r.facts.step > training_.warmup) {
    own_ms_.push_back(r.own_ms);
    phases_.push_back(r.phases);
  }
  if (r.facts.step == training_.warmup + 1) window_begin_ns_ = r.begin_ns;
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

void TrainingReport::emit_step(const StepResult& r) {
  if (comm_.rank() != 0) return;

  const double tokens_per_s = r.tokens / (r.longest_ms / 1e3);
  const FlopsPerToken flops = flops_per_token(model_.arch, r.tokens > 0 ? r.sum_len_sq / r.tokens : 0);
  const std::int64_t samples = training_.micro_batch * training_.grad_accumulation * comm_.world();
  Json data = {{"step", r.facts.step},
               {"loss", r.loss},
               {"lr", r.facts.lr},
               {"grad_norm", r.grad_norm},
               {"tokens", static_cast<std::int64_t>(r.tokens)},
               {"loss_tokens", static_cast<std::int64_t>(r.loss_tokens)},
               {"samples", samples},
               {"documents", static_cast<std::int64_t>(r.documents)},
               {"sum_len_sq", whole_rows_ ? 0.0 : r.sum_len_sq},
               {"step_time_ms", r.longest_ms},
               {"data_wait_ms", r.facts.data_wait_ms},
               {"forward_ms", r.phases.forward_ms},
               {"backward_ms", r.phases.backward_ms},
               {"optimizer_ms", r.phases.optimizer_ms},
               {"exposed_comm_ms", r.phases.exposed_comm_ms},
               {"tokens_per_s", tokens_per_s},
               {"mfu", nullptr},
               {"memory_bytes", peak_memory_bytes(task_.cuda)},
               {"begin_ns", r.begin_ns},
               {"end_ns", r.end_ns},
               {"measured", r.facts.step > training_.warmup}};
  if (task_.peak_tflops > 0) {
    data["mfu"] = flops.causal * tokens_per_s / (task_.peak_tflops * 1e12 * comm_.world());
  }
  emit_(kind::kStep, data);
}

void TrainingReport::finish(const TrainingFacts& facts) {
  for (StepResult& r : untimed_) {  // the last steps: nothing runs any more, so ask directly
    r.longest_ms = comm_.max_over_ranks(r.own_ms);
    emit_step(r);
  }
  if (task_.local_rank == 0 && training_.steps > training_.warmup) {
    emit_(kind::kWindow, {{"name", "measured"}, {"begin_ns", window_begin_ns_}, {"end_ns", window_end_ns_}});
  }
  emit_rank();
  if (!own_ms_.empty()) emit_phases();
  if (comm_.rank() == 0) emit_training(facts);
}

void TrainingReport::emit_rank() {
  const std::int64_t predicted = plan::estimate_memory(model_, plan::ranks_of(task_)).total();
  Json rank = {{"gpu", task_.cuda ? task_.gpu : -1},
               {"step_time_ms_median", nullptr},
               {"peak_memory_bytes", peak_memory_bytes(task_.cuda)},
               {"predicted_memory_bytes", predicted}};
  if (!own_ms_.empty()) rank["step_time_ms_median"] = median(own_ms_);
  emit_(kind::kRank, rank);
}

void TrainingReport::emit_phases() {
  const auto median_of = [&](double PhaseTimes::*phase) {
    std::vector<double> values;
    for (const PhaseTimes& times : phases_) values.push_back(times.*phase);
    return median(std::move(values));
  };
  emit_(kind::kPhases, {{"steps", phases_.size()},
                        {"step_ms", median(own_ms_)},
                        {"forward_ms", median_of(&PhaseTimes::forward_ms)},
                        {"backward_ms", median_of(&PhaseTimes::backward_ms)},
                        {"optimizer_ms", median_of(&PhaseTimes::optimizer_ms)},
                        {"exposed_comm_ms", median_of(&PhaseTimes::exposed_comm_ms)}});
}

void TrainingReport::emit_training(const TrainingFacts& facts) {
  const FlopsPerToken flops = flops_per_token(model_.arch, static_cast<double>(training_.seq_len));
  Json training = {{"model", model_.name},
                   {"parameters", model_.arch.parameters()},
                   {"matmul_parameters", model_.arch.matmul_parameters()},
                   {"precision", facts.bf16 ? "bf16" : "fp32"},
                   {"sharding", config::to_string(facts.sharding.sharding)},
                   {"sharding_reason", facts.sharding.reason},
                   {"resident_blocks", training_.resident_blocks},
                   {"offload", config::to_string(training_.offload)},
                   {"communication", facts.communication},
                   {"recompute", config::to_string(training_.recompute)},
                   {"attention_kernel", Attention::kernel(task_.cuda, whole_rows_)},
                   {"gemm", facts.gemm},
                   {"cuda_graph", facts.graph_obstacle.empty() ? "replayed" : facts.graph_obstacle},
                   {"seq_len", training_.seq_len},
                   {"micro_batch", training_.micro_batch},
                   {"grad_accumulation", training_.grad_accumulation},
                   {"world", comm_.world()},
                   {"flops_per_token_causal", flops.causal},
                   {"flops_per_token_full", flops.full},
                   {"peak_tflops", nullptr},
                   {"dataset", facts.dataset != nullptr ? facts.dataset->name() : "synthetic"},
                   {"dataset_hash", facts.dataset != nullptr ? facts.dataset->hash() : ""},
                   {"init", model_.init_from.empty() ? "random(" + std::to_string(training_.seed) + ")"
                                                     : model_.init_from},
                   {"steps", training_.steps},
                   {"warmup", training_.warmup}};
  if (task_.peak_tflops > 0) training["peak_tflops"] = task_.peak_tflops;
  emit_(kind::kTraining, training);
}

}  // namespace sxb::engine
