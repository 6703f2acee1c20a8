// What is trained and how: the Llama shape, the recipe, the data.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace sxb::config {

enum class Precision { kAuto, kBf16, kFp32 };  ///< kAuto: BF16 on GPU, FP32 on CPU
/// ZeRO-0, 1, 2, 3; kHybrid = kFull inside a node, whole copies on the nodes.
enum class Sharding { kAuto, kNone, kOptimizer, kGradients, kFull, kHybrid };
enum class Offload { kNone, kOptimizer };   ///< kOptimizer: its state in host memory
enum class CudaGraph { kAuto, kOn, kOff };  ///< kAuto: where shapes never change and launches would show
enum class ScheduleKind { kConstant, kLinear, kCosine, kStep };

/// What the backward pass computes again instead of keeping it from the forward pass.
struct Recompute {
  bool automatic = true;  ///< as little as fits the memory; settled by plan::resolve_auto
  bool norms = false;     ///< outputs of the norms
  bool swiglu = false;    ///< the product silu(gate) * up
  bool blocks = false;    ///< whole blocks from their inputs (activation checkpointing)
};

/// Dimensions of a Llama-2 style decoder.
struct Architecture {
  std::int64_t hidden = 0;
  std::int64_t ffn = 0;
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;  ///< < heads: grouped-query attention
  std::int64_t vocab = 0;
  double rope_theta = 10000.0;
  double norm_eps = 1e-5;

  std::int64_t head_dim() const { return heads > 0 ? hidden / heads : 0; }
  /// All parameters: embedding, blocks, norms, untied head.
  std::int64_t parameters() const;
  /// Parameters that take part in matrix products: without the input embedding, with the head.
  std::int64_t matmul_parameters() const;
};

struct Schedule {
  ScheduleKind kind = ScheduleKind::kCosine;
  std::int64_t warmup_steps = 0;  ///< linear ramp from 0
  double min_ratio = 0.0;         ///< floor as a fraction of the peak rate
  std::int64_t step_every = 0;    ///< kStep: steps between two decays
  double step_gamma = 0.1;        ///< kStep: factor per decay
};

struct Optimizer {
  double lr = 2e-5;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.0;
  double grad_clip = 1.0;  ///< global norm; 0 = off
  Schedule schedule;
};

/// How the trainer's collectives run on NCCL; without meaning on CPU ranks.
struct CommOptions {
  bool symmetric = false;     ///< weight and gradient buffers in symmetric windows (ncclMemAlloc)
  bool zero_cta = false;      ///< all-gathers by the copy engines; needs `symmetric`
  std::int64_t max_ctas = 0;  ///< thread blocks of a collective; 0 = NCCL chooses
};

/// When the state of a training is written down on the way, so that --resume goes on from there.
struct Checkpoint {
  double every_minutes = 0;      ///< 0: not by time
  std::int64_t every_steps = 0;  ///< 0: not by steps
  std::string folder;            ///< as the nodes see it; empty: below each node's cache
  std::int64_t keep = 2;         ///< whole ones that stay while the next one is written
  bool on() const { return every_minutes > 0 || every_steps > 0; }
};

struct Training {
  std::int64_t seq_len = 0;
  std::int64_t micro_batch = 1;        ///< sequences per rank and micro-step
  std::int64_t grad_accumulation = 1;  ///< micro-steps per optimizer step
  std::int64_t steps = 0;              ///< optimizer steps in all
  std::int64_t warmup = 0;             ///< first steps that no figure counts
  Precision precision = Precision::kAuto;
  Precision reduce_precision = Precision::kAuto;  ///< gradient reduction; kAuto: same as precision
  Sharding sharding = Sharding::kAuto;
  std::int64_t resident_blocks = 3;  ///< full, hybrid: gathered blocks that exist at once
  Offload offload = Offload::kNone;
  CommOptions comm;
  Recompute recompute;
  Checkpoint checkpoint;
  CudaGraph cuda_graph = CudaGraph::kAuto;  ///< record a step once and replay it; GPUs only
  bool trace = false;                       ///< trace one more step of every rank after the last
  std::uint64_t seed = 1234;
};

struct Data {
  std::string dataset;    ///< Alpaca .json/.jsonl, a shipped name, "synthetic", or a prepared folder
  std::string tokenizer;  ///< SentencePiece .model (unused with a prepared folder or "synthetic")
};

struct Model {
  std::string name;
  std::string description;
  Architecture arch;
  Training training;
  Optimizer optimizer;
  Data data;
  std::string init_from;  ///< Hugging Face safetensors folder; empty = random from the seed
  std::string source;     ///< file it was read from
};

/// Reads and validates one of our model files or a Hugging Face config.json of a Llama (told apart by
/// its keys; the recipe is then the default one). Reports every error at once.
Result<Model> parse_model(const Json& json, const std::string& where);
/// Complete: parse_model(to_json(m)) equals m, but for `source`.
Json to_json(const Model& model);

/// A model with the document that it was read from: what that says is not a default.
struct LoadedModel {
  Model model;
  Json file;
};

/// A shipped name ("7b"), a path of one of our model files, a Hugging Face config.json or its
/// folder. Relative paths of data and weights that exist beside the file become absolute.
/// Reads the file once.
Result<LoadedModel> load_model(const std::string& argument);
/// The model alone.
Result<Model> resolve_model(const std::string& argument);

/// Applies "model.key=value" or "key=value" (dotted path into the JSON form) and validates again.
Result<Model> apply_setting(const Model& model, const std::string& assignment);
/// Applies all of them, then validates once: the states between need not be valid.
/// `as_given`: what the user wrote for each, as errors cite it ("--steps 5"); "--set ..." without it.
Result<Model> apply_settings(const Model& model, const std::vector<std::string>& assignments,
                             std::vector<std::string> as_given = {});

/// The files behind Data; nothing but `kind` for synthetic tokens.
struct DataFiles {
  enum class Kind { kSynthetic, kPrepared, kRaw } kind = Kind::kSynthetic;
  std::filesystem::path dataset;    ///< kRaw: .json/.jsonl; kPrepared: the folder with index.json
  std::filesystem::path tokenizer;  ///< kPrepared: the one that it must be prepared with; empty = any
  std::string name;                 ///< of the dataset: letters, digits, '-', '_' and '.'
};
/// How an error names the two values of Data, and how they are set.
struct DataWords {
  std::string dataset_where, tokenizer_where;
  std::string set_dataset, set_tokenizer;  ///< e.g. "--dataset PATH"
};
/// A path, or the shipped name NAME = configs/datasets/NAME/{data.json,tokenizer.model}. Without
/// data.tokenizer: the tokenizer.model beside the dataset. An error says where it has looked.
Result<DataFiles> locate_data(const Data& data, const DataWords& words);
/// The same for a model. Weights bring their tokenizer: without data.tokenizer the tokenizer.model in
/// the folder init_from, if it is there, comes before the one beside the dataset.
Result<DataFiles> locate_data(const Model& model);

/// Names of the shipped models, for help and did-you-mean.
std::vector<std::string> shipped_models();

std::string to_string(Precision v);
std::string to_string(Sharding v);
std::string to_string(Offload v);
/// "auto", "none", or the names with commas: "norms,swiglu". --set takes the same.
std::string to_string(const Recompute& v);
std::string to_string(CudaGraph v);
std::string to_string(ScheduleKind v);

}  // namespace sxb::config
