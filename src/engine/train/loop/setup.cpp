#include "engine/train/loop/setup.h"

#include <string>
#include <utility>

#include "engine/base/error.h"
#include "engine/train/loop/step.h"
#include "engine/train/model/flops.h"
#include "plan/limits.h"

namespace sxb::engine::train {
namespace {

/// The host launches a block's forward and backward pass, some 40 kernels, in well under a millisecond.
/// Where the block computes much longer the launches are hidden, and a graph only costs: 0.8 % of a step
/// of 7B (docs/performance.md).
constexpr double kHidesLaunchesMs = 4;

/// Time of one block in one micro-step at the GPU's peak; 0 if the peak is unknown.
double block_ms_at_peak(const plan::RankTask& task) {
  if (task.peak_tflops <= 0) return 0;
  const config::Model& model = task.task.model;
  const double tokens = static_cast<double>(model.training.micro_batch * model.training.seq_len);
  const FlopsPerToken flops = flops_per_token(model.arch, static_cast<double>(model.training.seq_len));
  return flops.causal * tokens / static_cast<double>(model.arch.layers) / (task.peak_tflops * 1e9);
}

}  // namespace

bool trains_in_bf16(const config::Training& training, bool cuda) {
  if (training.precision == config::Precision::kAuto) return cuda;
  return training.precision == config::Precision::kBf16;
}

ShardingOptions sharding_options(const config::Training& training, config::Sharding sharding) {
  ShardingOptions options;
  options.sharding = sharding;
  options.reduce_fp32 = training.reduce_precision == config::Precision::kFp32;
  options.accumulation = training.grad_accumulation;
  options.resident_blocks = training.resident_blocks;
  options.offload = training.offload == config::Offload::kOptimizer;
  options.symmetric = training.comm.symmetric;
  return options;
}

void check_shape(const config::Architecture& a, bool cuda, bool bf16) {
  if (!cuda) {
    if (bf16) {
      throw EngineError("BF16 training needs a GPU", "precision_unsupported",
                        "--set training.precision=fp32, or leave it at auto", ExitCode::kUsage);
    }
    return;
  }
  // plan::validate() has refused what follows, with the key to change: a rank that meets it has found a bug.
  const std::int64_t vector = bf16 ? limits::kVectorElements : limits::kVectorElements / 2;  // of 16 bytes
  const bool whole_vectors = a.hidden % vector == 0 && a.ffn % vector == 0 && a.vocab % vector == 0 &&
                             a.head_dim() / 2 % vector == 0;
  if (!whole_vectors || a.hidden > limits::kMaxHidden) {
    throw EngineError(
        "the plan has a model that the kernels cannot compute, which planning should have refused",
        "shape_unsupported",
        "report it with the model file (" + std::to_string(a.hidden) + " hidden, " + std::to_string(a.heads) +
            " heads)",
        ExitCode::kUsage);
  }
}

std::string graph_obstacle(const plan::RankTask& task) {
  using config::CudaGraph;
  const config::Training& training = task.task.model.training;
  constexpr std::int64_t kWarmup =
      TrainStep::kLaunchedSteps + 1;  // recording takes seconds: not in a measured step
  if (training.cuda_graph == CudaGraph::kOff) return "training.cuda_graph is off";
  std::string obstacle, help;
  if (!task.cuda) {
    obstacle = "the ranks are CPUs";
    help = "leave training.cuda_graph at auto";
  } else if (!task.dataset_dir.empty()) {
    obstacle = "packed documents: their number and lengths change from step to step";
    help = "leave training.cuda_graph at auto, or train on synthetic tokens: --set data.dataset=synthetic";
  } else if (training.warmup < kWarmup) {
    obstacle = std::to_string(training.warmup) + " warm-up steps, " + std::to_string(kWarmup) + " are needed";
    help = "--warmup " + std::to_string(kWarmup) + " or more";
  } else if (training.cuda_graph == CudaGraph::kAuto && block_ms_at_peak(task) >= kHidesLaunchesMs) {
    obstacle = "each block computes for " + std::to_string(static_cast<int>(block_ms_at_peak(task))) +
               " ms and more, which hides its launches";
  }
  if (training.cuda_graph == CudaGraph::kOn && !obstacle.empty()) {
    throw EngineError("training.cuda_graph is on, but the steps cannot be replayed: " + obstacle,
                      "cuda_graph_unusable", help, ExitCode::kUsage);
  }
  return obstacle;
}

std::optional<data::PackedDataset> open_dataset(const plan::RankTask& task) {
  const config::Model& model = task.task.model;
  const std::int64_t seq_len = model.training.seq_len;
  if (task.dataset_dir.empty()) return std::nullopt;  // synthetic tokens
  auto dataset = data::PackedDataset::open(task.dataset_dir);
  if (!dataset) {
    const Error& error = dataset.error();
    throw EngineError(error.what + " (" + error.where + ")", "dataset_invalid", error.help, error.code);
  }
  if (dataset->seq_len() != seq_len) {
    throw EngineError("the dataset is packed to " + std::to_string(dataset->seq_len()) +
                          " tokens, the model trains on " + std::to_string(seq_len),
                      "dataset_invalid",
                      "prepare it again: sxbench data prepare --seq-len " + std::to_string(seq_len),
                      ExitCode::kUsage);
  }
  if (dataset->vocab() > model.arch.vocab) {
    throw EngineError("the tokenizer has " + std::to_string(dataset->vocab()) +
                          " tokens, the model's vocabulary " + std::to_string(model.arch.vocab),
                      "vocabulary_overflow",
                      "use the tokenizer that belongs to the model, or set arch.vocab to at least " +
                          std::to_string(dataset->vocab()),
                      ExitCode::kUsage);
  }
  return std::move(*dataset);
}

}  // namespace sxb::engine::train
