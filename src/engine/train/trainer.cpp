#include "engine/train/trainer.h"

#include <ATen/cuda/CUDAContextLight.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <memory>
#include <optional>

#include "engine/train/checkpoint.h"
#include "engine/train/flops.h"
#include "engine/train/llama.h"
#include "engine/train/loader.h"
#include "engine/train/schedule.h"
#include "engine/train/sharding.h"
#include "engine/train/step_log.h"
#include "sxbench/base/clock.h"
#include "sxbench/base/files.h"
#include "sxbench/data/packed.h"
#include "sxbench/plan/memory.h"
#include "sxbench/record/record.h"

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

std::int64_t peak_memory_bytes(const Device& device) {
  if (!device.cuda()) return peak_resident_bytes();
  const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(0);
  return stats.allocated_bytes[static_cast<std::size_t>(c10::CachingAllocator::StatType::AGGREGATE)].peak;
}

config::Precision resolved_precision(const config::Training& training, bool cuda) {
  if (training.precision != config::Precision::kAuto) return training.precision;
  return cuda ? config::Precision::kBf16 : config::Precision::kFp32;
}

/// The kernels move 16 bytes at a time: refuse shapes that do not divide, before any memory is taken.
void check_shape(const config::Architecture& a, bool cuda, bool bf16) {
  if (!cuda) {
    if (bf16) {
      throw EngineError("BF16 training needs a GPU", "precision_unsupported",
                        "--set training.precision=fp32, or leave it at auto", ExitCode::kUsage);
    }
    return;
  }
  const std::int64_t vector = bf16 ? 8 : 4;
  if (a.hidden % vector != 0 || a.ffn % vector != 0 || a.vocab % vector != 0 || a.head_dim() / 2 % vector != 0) {
    throw EngineError("on the GPU hidden, ffn, vocab and half of the head size must be multiples of " +
                          std::to_string(vector), "shape_unsupported",
                      "change arch.hidden, arch.ffn, arch.vocab or arch.heads", ExitCode::kUsage);
  }
  if (a.hidden > 16384) {
    throw EngineError("hidden sizes above 16384 are not supported on the GPU", "shape_unsupported", "",
                      ExitCode::kUsage);
  }
}

/// Everything of one training task on one rank.
class Trainer {
 public:
  Trainer(const plan::RankTask& task, Communicator& comm, const EmitRecord& emit);
  void run();

 private:
  void open_dataset();
  void tune_gemms();
  DeviceBatch to_device(const HostBatch& host);
  void micro_step(std::int64_t index, const HostBatch& host);
  StepFacts step(std::int64_t step);
  void take_step(const StepResult& result);
  void report_step(const StepResult& result);
  void report_end();

  const plan::RankTask& task_;
  const config::Model& model_;
  const config::Training& training_;
  Communicator& comm_;
  const EmitRecord& emit_;
  const bool bf16_;
  Device device_;
  std::optional<c10::cuda::CUDAStreamGuard> stream_;  // the compute stream is the current one
  Layout layout_;
  std::optional<data::PackedDataset> dataset_;
  std::optional<ShardedParameters> parameters_;
  std::optional<Llama> llama_;
  std::optional<Loader> loader_;

  double token_unit_;       // static scale of the loss: 1 / (tokens of a full global batch)
  at::Tensor sums_;         // double (kStepSums + ranks), see StepSum
  at::Tensor results_;      // float (3): gradient scale, norm, loss
  at::Tensor scalars_;      // float (3): a kernels::AdamWStep
  Event sums_ready_, sums_reduced_;
  bool whole_rows_ = true;
  std::string gemm_ = "library default";  // how the GEMM algorithms were chosen
  std::int64_t window_begin_ns_ = 0, window_end_ns_ = 0;
  std::vector<double> own_ms_;          // measured steps
  std::vector<StepResult> untimed_;     // finished, but the other ranks' times are not known yet
};

Trainer::Trainer(const plan::RankTask& task, Communicator& comm, const EmitRecord& emit)
    : task_(task), model_(task.task.model), training_(model_.training), comm_(comm), emit_(emit),
      bf16_(resolved_precision(training_, task.cuda) == config::Precision::kBf16) {
  check_shape(model_.arch, task.cuda, bf16_);
  device_ = Device::make(task.cuda, bf16_);
  if (device_.compute_stream) stream_.emplace(*device_.compute_stream);
  open_dataset();

  const config::Sharding sharding = plan::resolve_sharding(model_, comm.world(), task.cuda);
  layout_ = make_layout(model_.arch, comm.world());
  const bool reduce_fp32 = training_.reduce_precision == config::Precision::kFp32;
  parameters_.emplace(layout_, sharding, reduce_fp32, training_.grad_accumulation, device_, comm);
  if (model_.init_from.empty()) {
    initialize_random(*parameters_, layout_, training_.seed, device_);
  } else {
    initialize_from(*parameters_, layout_, model_.init_from, device_);
  }
  const std::int64_t tokens = training_.micro_batch * training_.seq_len;
  llama_.emplace(layout_, device_, tokens, training_.seq_len, training_.recompute == config::Recompute::kBlock);
  tune_gemms();

  LoaderOptions options;
  options.micro_batch = training_.micro_batch;
  options.seq_len = training_.seq_len;
  options.rank = comm.rank();
  options.world = comm.world();
  options.seed = training_.seed;
  options.vocab = model_.arch.vocab;
  loader_.emplace(dataset_ ? &*dataset_ : nullptr, options);

  token_unit_ = 1.0 / static_cast<double>(tokens * training_.grad_accumulation * comm.world());
  sums_ = device_.zeros({kStepSums + comm.world()}, at::kDouble);
  results_ = device_.zeros({3}, at::kFloat);
  scalars_ = device_.zeros({3}, at::kFloat);
}

/// BF16 on the GPU: times cuBLASLt's candidates unless this GPU type's choices are in the cache.
void Trainer::tune_gemms() {
  if (!device_.cuda() || !bf16_) return;
  std::string name = at::cuda::getDeviceProperties(0)->name;
  std::replace(name.begin(), name.end(), ' ', '-');
  const auto file = cache_dir() / "gemm" / (name + "-cublaslt-" + Gemm::version() + ".json");
  const Gemm::Tuning tuning = llama_->tune_gemms(comm_, file.string());
  c10::cuda::CUDACachingAllocator::emptyCache();
  gemm_ = "cublasLt " + Gemm::version() + ", " + std::to_string(tuning.products) + " products, " +
          std::to_string(tuning.changed) + " not by its first choice";
  if (tuning.cached) {
    gemm_ += ", from " + file.filename().string();
  } else {
    gemm_ += ", timed here: " + std::to_string(tuning.gain) + " times as fast";
  }
}

void Trainer::open_dataset() {
  if (task_.dataset_dir.empty()) return;  // synthetic tokens
  auto dataset = data::PackedDataset::open(task_.dataset_dir);
  if (!dataset) {
    const Error& error = dataset.error();
    throw EngineError(error.what + " (" + error.where + ")", "dataset_invalid", error.help, error.code);
  }
  if (dataset->seq_len() != training_.seq_len) {
    throw EngineError("the dataset is packed to " + std::to_string(dataset->seq_len()) + " tokens, the model trains on " +
                          std::to_string(training_.seq_len), "dataset_invalid",
                      "prepare it again: sxbench data prepare --seq-len " + std::to_string(training_.seq_len),
                      ExitCode::kUsage);
  }
  if (dataset->vocab() > model_.arch.vocab) {
    throw EngineError("the tokenizer has " + std::to_string(dataset->vocab()) + " tokens, the model's vocabulary " +
                          std::to_string(model_.arch.vocab), "vocabulary_overflow",
                      "use the tokenizer that belongs to the model, or set arch.vocab to at least " +
                          std::to_string(dataset->vocab()), ExitCode::kUsage);
  }
  dataset_.emplace(std::move(*dataset));
}

DeviceBatch Trainer::to_device(const HostBatch& host) {
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
  whole_rows_ = whole_rows_ && host.whole_rows;
  return batch;
}

void Trainer::micro_step(std::int64_t index, const HostBatch& host) {
  const DeviceBatch batch = to_device(host);
  const int embedding = layout_.embedding();
  const int head = layout_.head();
  ShardedParameters& p = *parameters_;
  p.begin_micro_step(index);

  Residual stream = llama_->embed(batch, embedding_view(layout_, p.gather(embedding)));
  p.release(embedding);
  for (int u = layout_.first_block(); u < head; ++u) {
    const BlockView weights = block_view(layout_, p.gather(u));
    p.prefetch(u + 1);
    stream = llama_->block(u - 1, stream, weights, batch);
    p.release(u);
  }

  at::Tensor loss_sum = sums_[kLossSum];
  const HeadView head_weights = head_view(layout_, p.gather(head));
  at::Tensor dx = llama_->head_and_loss(stream, head_weights, head_view(layout_, p.gradients(head)), p.accumulate(),
                                        batch, token_unit_, loss_sum);
  p.release(head);
  p.reduce(head);

  for (int u = head - 1; u >= layout_.first_block(); --u) {
    const BlockView weights = block_view(layout_, p.gather(u));
    p.prefetch(u - 1);
    dx = llama_->block_backward(u - 1, dx, weights, block_view(layout_, p.gradients(u)), p.accumulate(), batch);
    p.release(u);
    p.reduce(u);
  }
  at::Tensor dtable = embedding_view(layout_, p.gradients(embedding));
  llama_->embed_backward(dx, dtable, p.accumulate(), batch);
  p.reduce(embedding);
}

StepFacts Trainer::step(std::int64_t number) {
  StepFacts facts;
  facts.step = number;
  facts.lr = learning_rate(model_.optimizer, number, training_.steps);
  sums_.zero_();
  at::Tensor host_counts = at::zeros({sums_.numel()}, at::TensorOptions().dtype(at::kDouble).pinned_memory(device_.cuda()));
  double* counts = host_counts.data_ptr<double>();
  for (std::int64_t i = 0; i < training_.grad_accumulation; ++i) {
    const std::int64_t before = monotonic_ns();
    const HostBatch host = loader_->next();
    facts.data_wait_ms += static_cast<double>(monotonic_ns() - before) / 1e6;
    counts[kLossTokens] += static_cast<double>(host.loss_tokens);
    counts[kTokens] += static_cast<double>(host.tokens);
    counts[kDocuments] += static_cast<double>(host.documents);
    counts[kSumLenSq] += host.sum_len_sq;
    micro_step(i, host);
  }
  if (!untimed_.empty()) {
    facts.timed_step = untimed_.back().facts.step;
    counts[kStepSums + comm_.rank()] = untimed_.back().own_ms;
  }
  sums_.add_(host_counts.to(device_.at, /*non_blocking=*/true));
  at::Tensor sum_sq = sums_[kSumSquares];
  parameters_->add_squares(sum_sq);

  // The small all-reduce joins the order of the others on the communication stream.
  device_.record_compute(sums_ready_);
  device_.comm_waits(sums_ready_);
  if (comm_.world() > 1) {
    comm_.all_reduce(sums_.data_ptr(), sums_.data_ptr(), sums_.numel(), DType::kFloat64, RedOp::kSum, device_.comm_raw());
  }
  device_.record_comm(sums_reduced_);
  device_.compute_waits(sums_reduced_);

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
      static_cast<float>(facts.lr), static_cast<float>(1 - std::pow(o.beta1, n)),
      static_cast<float>(1 - std::pow(o.beta2, n))};
  scalars_.copy_(scalars, /*non_blocking=*/true);
  const kernels::AdamW constants{static_cast<float>(o.beta1), static_cast<float>(o.beta2), static_cast<float>(o.eps),
                                 static_cast<float>(o.weight_decay)};
  parameters_->optimizer_step(constants, scalars_, results_[0]);
  return facts;
}

/// A finished step: fail on NaN at once; report it once the other ranks' times are known.
void Trainer::take_step(const StepResult& r) {
  if (!std::isfinite(r.loss) || !std::isfinite(r.grad_norm)) {
    throw EngineError("loss or gradient norm is not finite at step " + std::to_string(r.facts.step), "nan_loss",
                      "lower the learning rate (--set optimizer.lr=...), lengthen schedule.warmup_steps, or check the "
                      "initial weights");
  }
  if (r.facts.step > training_.warmup) own_ms_.push_back(r.own_ms);
  if (r.facts.step == training_.warmup + 1) window_begin_ns_ = r.begin_ns;
  window_end_ns_ = r.end_ns;
  untimed_.push_back(r);
  for (auto timed = untimed_.begin(); timed != untimed_.end(); ++timed) {
    if (timed->facts.step != r.facts.timed_step) continue;
    timed->longest_ms = r.timed_step_longest_ms;
    report_step(*timed);
    untimed_.erase(timed);
    break;
  }
}

void Trainer::report_step(const StepResult& r) {
  if (comm_.rank() != 0) return;

  const double tokens_per_s = r.tokens / (r.longest_ms / 1e3);
  const FlopsPerToken flops = flops_per_token(model_.arch, r.tokens > 0 ? r.sum_len_sq / r.tokens : 0);
  const std::int64_t samples = training_.micro_batch * training_.grad_accumulation * comm_.world();
  Json data = {{"step", r.facts.step}, {"loss", r.loss}, {"lr", r.facts.lr}, {"grad_norm", r.grad_norm},
               {"tokens", static_cast<std::int64_t>(r.tokens)}, {"loss_tokens", static_cast<std::int64_t>(r.loss_tokens)},
               {"samples", samples}, {"documents", static_cast<std::int64_t>(r.documents)},
               {"sum_len_sq", whole_rows_ ? 0.0 : r.sum_len_sq}, {"step_time_ms", r.longest_ms},
               {"data_wait_ms", r.facts.data_wait_ms}, {"tokens_per_s", tokens_per_s}, {"mfu", nullptr},
               {"memory_bytes", peak_memory_bytes(device_)}, {"begin_ns", r.begin_ns}, {"end_ns", r.end_ns},
               {"measured", r.facts.step > training_.warmup}};
  if (task_.peak_tflops > 0) {
    data["mfu"] = flops.causal * tokens_per_s / (task_.peak_tflops * 1e12 * comm_.world());
  }
  emit_(kind::kStep, data);
}

void Trainer::report_end() {
  if (task_.local_rank == 0 && training_.steps > training_.warmup) {
    emit_(kind::kWindow, {{"name", "measured"}, {"begin_ns", window_begin_ns_}, {"end_ns", window_end_ns_}});
  }
  std::sort(own_ms_.begin(), own_ms_.end());
  const std::int64_t predicted = plan::estimate_memory(model_, comm_.world(), device_.cuda()).total();
  Json rank = {{"gpu", task_.cuda ? task_.gpu : -1}, {"step_time_ms_median", nullptr},
               {"peak_memory_bytes", peak_memory_bytes(device_)}, {"predicted_memory_bytes", predicted}};
  if (!own_ms_.empty()) {
    const std::size_t n = own_ms_.size();
    rank["step_time_ms_median"] = (own_ms_[(n - 1) / 2] + own_ms_[n / 2]) / 2;
  }
  emit_(kind::kRank, rank);
  if (comm_.rank() != 0) return;

  const FlopsPerToken flops = flops_per_token(model_.arch, static_cast<double>(training_.seq_len));
  Json training = {{"model", model_.name}, {"parameters", model_.arch.parameters()},
                   {"matmul_parameters", model_.arch.matmul_parameters()}, {"precision", bf16_ ? "bf16" : "fp32"},
                   {"sharding", config::to_string(parameters_->sharding())},
                   {"recompute", config::to_string(training_.recompute)},
                   {"attention_kernel", Attention::kernel(task_.cuda, whole_rows_)},
                   {"gemm", gemm_}, {"seq_len", training_.seq_len}, {"micro_batch", training_.micro_batch},
                   {"grad_accumulation", training_.grad_accumulation}, {"world", comm_.world()},
                   {"flops_per_token_causal", flops.causal}, {"flops_per_token_full", flops.full},
                   {"peak_tflops", nullptr}, {"dataset", dataset_ ? dataset_->name() : "synthetic"},
                   {"dataset_hash", dataset_ ? dataset_->hash() : ""},
                   {"init", model_.init_from.empty() ? "random(" + std::to_string(training_.seed) + ")" : model_.init_from},
                   {"steps", training_.steps}, {"warmup", training_.warmup}};
  if (task_.peak_tflops > 0) training["peak_tflops"] = task_.peak_tflops;
  emit_(kind::kTraining, training);
}

void Trainer::run() {
  // Results are read a step late: the host never waits for the step it has just queued.
  constexpr std::size_t kInFlight = 1;
  comm_.barrier();
  StepLog log(device_);
  log.start();
  for (std::int64_t number = 1; number <= training_.steps; ++number) {
    const StepFacts facts = step(number);
    log.finish(facts, results_, sums_);
    if (!device_.cuda() || log.pending() > kInFlight) take_step(log.take());
  }
  while (log.pending() > 0) take_step(log.take());
  device_.synchronize();
  for (StepResult& r : untimed_) {  // the last steps: nothing runs any more, so ask directly
    r.longest_ms = comm_.max_over_ranks(r.own_ms);
    report_step(r);
  }
  if (!task_.save_dir.empty()) save_weights(*parameters_, layout_, task_.save_dir, comm_.rank(), device_);
  report_end();
}

}  // namespace

void run_training(const plan::RankTask& task, Communicator& comm, const EmitRecord& emit) {
  const c10::InferenceMode no_autograd;
  Trainer trainer(task, comm, emit);
  trainer.run();
}

}  // namespace sxb::engine
