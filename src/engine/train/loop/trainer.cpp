#include "engine/train/loop/trainer.h"

#include <ATen/cuda/CUDAContextLight.h>
#include <c10/core/InferenceMode.h>
#include <c10/cuda/CUDACachingAllocator.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/files.h"
#include "engine/train/loop/checkpoint.h"
#include "engine/train/loop/checkpointer.h"
#include "engine/train/loop/setup.h"
#include "engine/train/loop/step.h"
#include "engine/train/loop/trace.h"
#include "engine/train/loop/training_report.h"
#include "plan/memory.h"
#include "record/kinds/training.h"

namespace sxb::engine::train {
namespace {

/// Everything of one training task on one rank.
class Trainer {
 public:
  /// task.model and `sharding` are settled: nothing is kAuto.
  Trainer(const plan::RankTask& task, const plan::ShardingChoice& sharding, comm::Communicator& comm,
          const Emitter& emitter);
  void run();

 private:
  void make_model();
  void tune_gemms();
  void train();
  void trace();
  LoaderOptions loader_options() const;

  const plan::RankTask& task_;
  const plan::ShardingChoice sharding_;
  const config::Model& model_;
  const config::Training& training_;
  comm::Communicator& comm_;
  const Emitter& emitter_;
  const bool bf16_;
  const std::string graph_obstacle_;
  TrainingReport report_;
  Device device_;
  std::optional<c10::cuda::CUDAStreamGuard> stream_;  // the compute stream is the current one
  std::optional<data::PackedDataset> dataset_;
  std::optional<ProcessGroups> groups_;
  Layout layout_;
  std::optional<ShardedParameters> parameters_;
  std::optional<Llama> llama_;
  std::string communication_;             // what the device runs for a block's collectives
  std::string gemm_ = "library default";  // how the GEMM algorithms were chosen
  std::optional<Checkpointer> checkpointer_;
  TrainStep::Progress progress_;  // where an earlier attempt of the task came to
  std::optional<Loader> loader_;
  std::optional<TrainStep> step_;
};

Trainer::Trainer(const plan::RankTask& task, const plan::ShardingChoice& sharding, comm::Communicator& comm,
                 const Emitter& emitter)
    : task_(task),
      sharding_(sharding),
      model_(task.task.model),
      training_(model_.training),
      comm_(comm),
      emitter_(emitter),
      bf16_(trains_in_bf16(training_, task.cuda)),
      graph_obstacle_(graph_obstacle(task)),
      report_(task, comm, emitter) {
  // What the kernels cannot do is refused before any memory is taken.
  check_shape(model_.arch, task.cuda, bf16_);
  // The device, whose compute stream is the current one from here on.
  device_ = Device::make(task.cuda, bf16_);
  if (device_.compute_stream) stream_.emplace(*device_.compute_stream);
  // The packed shards; none for synthetic tokens.
  dataset_ = open_dataset(task);
  // Weights, gradients, optimizer state and the model's buffers: nearly all memory of the task.
  make_model();
  // The fastest algorithm of each matrix product.
  tune_gemms();
  // Batches, read ahead in a thread of their own.
  loader_.emplace(dataset_ ? &*dataset_ : nullptr, loader_options());
  // The step, launched kernel by kernel or replayed as a graph.
  step_.emplace(model_, layout_, device_, comm_, *parameters_, *llama_, *loader_, graph_obstacle_.empty());
  step_->resume(progress_);
  step_->keep_state_until(&checkpointer_->copied());
  report_.resumed_after(progress_.step);
  report_.tell([this](const record::Step& step) { checkpointer_->recorded(step); });
}

/// Weights, gradients and optimizer state as the sharding places them, and the model's buffers.
void Trainer::make_model() {
  groups_.emplace(comm_, sharding_.sharding, task_);
  layout_ = make_layout(model_.arch, groups_->shard().world());
  parameters_.emplace(layout_, sharding_options(training_, sharding_.sharding), device_, *groups_);
  communication_ = parameters_->describe_paths();
  // An earlier attempt's state, if it left a checkpoint.
  checkpointer_.emplace(task_, layout_, device_, comm_, *parameters_, dataset_ ? &*dataset_ : nullptr, bf16_,
                        emitter_);
  progress_ = checkpointer_->restore();
  if (progress_.step > 0) {
    // the weights are there
  } else if (model_.init_from.empty()) {
    initialize_random(*parameters_, layout_, training_.seed, device_);
  } else {
    initialize_from(*parameters_, layout_, model_);
  }
  llama_.emplace(layout_, device_, training_.micro_batch * training_.seq_len, training_.seq_len,
                 training_.recompute);
}

/// BF16 on the GPU: times cuBLASLt's candidates unless this GPU type's choices are in the cache.
void Trainer::tune_gemms() {
  if (!device_.cuda() || !bf16_) return;
  const std::filesystem::path file = Gemm::cache_file();
  const Gemm::Tuning tuning = llama_->tune_gemms(comm_, file.string());
  c10::cuda::CUDACachingAllocator::emptyCache();
  gemm_ = "cublasLt " + Gemm::version() + ", " + std::to_string(tuning.changed) + " of " +
          std::to_string(tuning.products) + " products not by its first choice";
  if (tuning.cached) {
    gemm_ += ", from " + file.filename().string();
  } else {
    gemm_ += ", timed here: " + std::to_string(tuning.gain) + " times as fast";
  }
}

LoaderOptions Trainer::loader_options() const {
  LoaderOptions options;
  options.micro_batch = training_.micro_batch;
  options.seq_len = training_.seq_len;
  options.rank = comm_.rank();
  options.world = comm_.world();
  options.seed = training_.seed;
  options.vocab = model_.arch.vocab;
  options.first_micro_step = progress_.step * training_.grad_accumulation;
  return options;
}

/// One more step, which changes no weight and counts in no figure.
void Trainer::trace() {
  step_->run_traced();
  const at::Tensor stamps = device_.clock->stamps().cpu();
  const std::string process = model_.name + " on " + task_.node + ", rank " + std::to_string(task_.rank);
  emitter_.emit(record::Trace{
      chrome_trace(device_.clock->marks(), stamps.data_ptr<std::int64_t>(), layout_, process, task_.rank)});
}

void Trainer::run() {
  // All steps; their figures are emitted on the way.
  train();
  // The update that a graph leaves to the next step, and the end of all work.
  step_->finish();
  device_.synchronize();
  // If asked: a traced step more, and the weights as a checkpoint.
  if (training_.trace) trace();
  if (!task_.save_dir.empty())
    save_weights(*parameters_, layout_, task_, dataset_ ? &*dataset_ : nullptr, device_, emitter_);
  // What only the end knows: the last steps' times, memory, phases, facts of the task.
  report_.finish({bf16_, sharding_, communication_, gemm_, graph_obstacle_, dataset_ ? &*dataset_ : nullptr});
  // The result is there: what was saved on the way to it goes.
  checkpointer_->finish();
}

/// Results are read a step late: the host never waits for the step it has just queued.
void Trainer::train() {
  constexpr std::size_t kInFlight = 1;
  checkpointer_->reserve();
  comm_.barrier();  // no rank's first step waits for another's start
  StepLog log(device_, kInFlight + 1, step_->sums().numel());
  log.start();
  bool save = false;
  const auto take = [&] {
    const StepResult result = log.take();
    save = checkpointer_->take(result);
    report_.take(result);
  };
  for (std::int64_t number = progress_.step + 1; number <= training_.steps; ++number) {
    if (std::exchange(save, false)) checkpointer_->save(step_->progress(), number - 1);
    const StepFacts facts = step_->run(number, report_.newest_untimed(), checkpointer_->vote(number));
    log.finish(facts, step_->results(), step_->sums());
    if (!device_.cuda() || log.pending() > kInFlight) take();
  }
  while (log.pending() > 0) take();
}

}  // namespace

void run_training(const plan::RankTask& task, comm::Communicator& comm, const Emitter& emitter) {
  const c10::InferenceMode no_autograd;
  plan::RankTask settled = task;
  settled.task.model = plan::resolve_auto(task.task.model, plan::ranks_of(task));
  Trainer trainer(settled, plan::resolve_sharding(task.task.model, plan::ranks_of(task)), comm, emitter);
  trainer.run();
}

}  // namespace sxb::engine::train
