// The settings of a model file, one row each, and what rows cannot say.
#include "config/model/model_settings.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "config/name.h"

namespace sxb::config {
namespace {

constexpr EnumName<Precision> kPrecisions[] = {
    {Precision::kAuto, "auto"}, {Precision::kBf16, "bf16"}, {Precision::kFp32, "fp32"}};
constexpr EnumName<Sharding> kShardings[] = {
    {Sharding::kAuto, "auto"},           {Sharding::kNone, "none"}, {Sharding::kOptimizer, "optimizer"},
    {Sharding::kGradients, "gradients"}, {Sharding::kFull, "full"}, {Sharding::kHybrid, "hybrid"}};
constexpr EnumName<Offload> kOffloads[] = {{Offload::kNone, "none"}, {Offload::kOptimizer, "optimizer"}};
constexpr EnumName<bool Recompute::*> kRecomputes[] = {
    {&Recompute::norms, "norms"}, {&Recompute::swiglu, "swiglu"}, {&Recompute::blocks, "blocks"}};
constexpr EnumName<CudaGraph> kCudaGraphs[] = {
    {CudaGraph::kAuto, "auto"}, {CudaGraph::kOn, "on"}, {CudaGraph::kOff, "off"}};
constexpr EnumName<ScheduleKind> kSchedules[] = {{ScheduleKind::kConstant, "constant"},
                                                 {ScheduleKind::kLinear, "linear"},
                                                 {ScheduleKind::kCosine, "cosine"},
                                                 {ScheduleKind::kStep, "step"}};

// Bounds that catch typing errors; far above anything that runs.
constexpr std::int64_t kMaxDimension = 1 << 20;
constexpr std::int64_t kMaxVocab = 1 << 24;  // a token id has 24 bits in the packed shards
constexpr std::int64_t kMaxSteps = 1'000'000'000;

void check_architecture(ObjectReader& reader, const Architecture& arch) {
  if (arch.hidden < 1 || arch.heads < 1 || arch.kv_heads < 1) return;  // already reported
  if (arch.hidden % arch.heads != 0) {
    reader.error("hidden",
                 fmt::format("hidden ({}) is not a multiple of heads ({})", arch.hidden, arch.heads),
                 fmt::format("use e.g. {}", (arch.hidden / arch.heads + 1) * arch.heads));
  } else if (arch.head_dim() % 2 != 0) {
    reader.error("heads",
                 fmt::format("hidden / heads = {} is odd; rotary embedding needs pairs", arch.head_dim()),
                 "choose heads so that hidden / heads is even");
  }
  if (arch.heads % arch.kv_heads != 0) {
    reader.error("kv_heads",
                 fmt::format("heads ({}) is not a multiple of kv_heads ({})", arch.heads, arch.kv_heads),
                 "each key-value head serves the same number of heads; use a divisor of heads");
  }
}

const Table<Architecture>& architecture_settings() {
  static const Table<Architecture> table = [] {
    using A = Architecture;
    constexpr Bounds<std::int64_t> kDimension = {1, kMaxDimension}, kHeads = {1, 65536};
    const Extra required = {.need = Need::kRequired};
    Table<A> t;
    t.integer("hidden", &A::hidden, kDimension, "model width; a multiple of heads", required);
    t.integer("ffn", &A::ffn, kDimension, "width of the SwiGLU MLP", required);
    t.integer("layers", &A::layers, {1, 10000}, "blocks", required);
    t.integer("heads", &A::heads, kHeads, "query heads", required);
    t.custom(
        "kv_heads", integer_schema(kHeads.min, kHeads.max), "key-value heads, a divisor of heads",
        [kHeads](ObjectReader& reader, A& arch) {
          arch.kv_heads = arch.heads;
          reader.integer("kv_heads", arch.kv_heads, kHeads.min, kHeads.max);
        },
        [](const A& arch, Json& object) { object["kv_heads"] = arch.kv_heads; }, {.otherwise = "heads"});
    t.integer("vocab", &A::vocab, {2, kMaxVocab}, "rows of the embedding and of the untied output head",
              required);
    t.number("rope_theta", &A::rope_theta, {1, 1e12}, "base of the rotary embedding");
    t.number("norm_eps", &A::norm_eps, {1e-12, 1e-1}, "epsilon of RMSNorm");
    t.check(check_architecture);
    return t;
  }();
  return table;
}

/// The names at `key`: a list, or, as --set gives it, one text: "norms,swiglu", "[\"norms\"]", "none".
std::vector<Json> recompute_names(const Json& value) {
  if (value.is_array()) return value.get<std::vector<Json>>();
  if (!value.is_string()) return {value};
  const std::string text = value.get<std::string>();
  const std::optional<Json> list = try_parse_json(text);
  if (list && list->is_array()) return list->get<std::vector<Json>>();
  if (text == "none") return {};
  std::vector<Json> names;
  for (const std::string& name : split(text, ',')) names.emplace_back(std::string(trim(name)));
  return names;
}

void read_recompute(ObjectReader& reader, Training& training) {
  Recompute& recompute = training.recompute;
  const Json* value = reader.find("recompute");
  if (value == nullptr || *value == "auto") return;
  recompute.automatic = false;
  for (const Json& name : recompute_names(*value)) {
    bool found = false;
    std::vector<std::string> known = {"auto", "none"};
    for (const auto& [member, text] : kRecomputes) {
      known.emplace_back(text);
      if (name != text) continue;
      recompute.*member = true;
      found = true;
    }
    if (found) continue;
    reader.error("recompute",
                 fmt::format("expected names of what is computed again, found {}", describe(name)),
                 name.is_string() ? suggest(name.get<std::string>(), known)
                                  : "write \"auto\" or a list of \"norms\", \"swiglu\", \"blocks\"");
  }
}

Json recompute_to_json(const Recompute& recompute) {
  if (recompute.automatic) return "auto";
  Json names = Json::array();
  for (const auto& [member, name] : kRecomputes) {
    if (recompute.*member) names.push_back(name);
  }
  return names;
}

Json recompute_schema() {
  Json names = Json::array();
  for (const auto& [member, name] : kRecomputes) names.push_back(name);
  const Json list = {{"type", "array"}, {"items", {{"enum", names}}}, {"uniqueItems", true}};
  return {{"anyOf", Json::array({{{"const", "auto"}}, list})}, {"default", "auto"}};
}

void check_comm(ObjectReader& reader, const CommOptions& comm) {
  if (comm.zero_cta && !comm.symmetric) {
    reader.error("zero_cta", "gathers by the copy engines need buffers in symmetric windows",
                 "add --set training.comm.symmetric=true");
  }
}

const Table<CommOptions>& comm_settings() {
  static const Table<CommOptions> table = [] {
    using C = CommOptions;
    Table<C> t;
    t.flag("symmetric", &C::symmetric,
           "weight and gradient buffers in symmetric windows of ncclMemAlloc memory");
    t.flag("zero_cta", &C::zero_cta,
           "all-gathers by the copy engines (NCCL_CTA_POLICY_ZERO), on a communicator of their own; needs "
           "symmetric");
    t.integer("max_ctas", &C::max_ctas, {0, 64}, "most thread blocks of a collective; 0: NCCL chooses");
    t.check(check_comm);
    return t;
  }();
  return table;
}

const Table<Checkpoint>& checkpoint_settings() {
  static const Table<Checkpoint> table = [] {
    using C = Checkpoint;
    Table<C> t;
    t.number(
        "every_minutes", &C::every_minutes, {0, 1e6},
        "save the state of the training so often; a run that is resumed goes on from there; 0: not by time",
        {.unit = "min"});
    t.integer("every_steps", &C::every_steps, {0, kMaxSteps}, "the same in steps; 0: not by steps");
    t.text("folder", &C::folder,
           "where every rank writes its shard, as the nodes see it; shared, if other nodes may go on",
           {.otherwise = "`checkpoints` in the cache of each node"});
    t.integer("keep", &C::keep, {1, 50},
              "checkpoints that stay while the next one is written: the disk holds one more");
    return t;
  }();
  return table;
}

void check_steps(ObjectReader& reader, const Training& training) {
  if (training.steps < 1 || training.warmup < training.steps) return;
  reader.error(
      "warmup",
      fmt::format("warmup ({}) leaves none of the {} steps to measure", training.warmup, training.steps),
      fmt::format("use --warmup {} or --steps {}", training.steps / 5, training.warmup + 10));
}

const Table<Training>& training_settings() {
  static const Table<Training> table = [] {
    using T = Training;
    Table<T> t;
    t.integer("seq_len", &T::seq_len, {2, kMaxDimension}, "tokens per sequence", {.need = Need::kRequired});
    t.integer("micro_batch", &T::micro_batch, {1, 65536}, "sequences per rank and micro-step",
              {.flag = "--micro-batch", .variable = "SXBENCH_MICRO_BATCH"});
    t.integer("grad_accumulation", &T::grad_accumulation, {1, 65536}, "micro-steps per optimizer step");
    t.integer("steps", &T::steps, {1, kMaxSteps}, "optimizer steps",
              {.need = Need::kRequired, .flag = "--steps", .variable = "SXBENCH_STEPS"});
    t.integer("warmup", &T::warmup, {0, kMaxSteps}, "first steps that no figure counts",
              {.flag = "--warmup"});
    t.choice("precision", &T::precision, kPrecisions, "auto: bf16 on GPUs, fp32 on CPUs");
    t.choice("reduce_precision", &T::reduce_precision, kPrecisions,
             "of the gradient reduction; auto: same as precision");
    t.choice(
        "sharding", &T::sharding, kShardings,
        "what is spread over the ranks: none, optimizer, gradients, full = ZeRO-0, 1, 2, 3; hybrid: full "
        "inside a node, copies on the nodes; auto: the least communication that fits the GPU's memory");
    t.integer("resident_blocks", &T::resident_blocks, {2, 10000},
              "full, hybrid: blocks whose gathered weights exist at once; more saves gathers at the turn "
              "from forward to backward and costs memory");
    t.choice("offload", &T::offload, kOffloads,
             "optimizer: master weights and moments in pinned host memory; slow, for what fits no other way");
    t.section("comm", &T::comm, comm_settings(),
              "how the trainer's collectives run on NCCL; without meaning on CPU ranks");
    t.section(
        "checkpoint", &T::checkpoint, checkpoint_settings(),
        "saving the state of a training on the way, for --resume; off unless one of the first two is set");
    t.custom(
        "recompute", recompute_schema(),
        "what the backward pass computes again instead of keeping it: norm outputs, the SwiGLU product, "
        "whole blocks; [] keeps everything, auto recomputes as little as fits the memory",
        read_recompute,
        [](const T& training, Json& object) { object["recompute"] = recompute_to_json(training.recompute); },
        {.values = "`auto`, list of `norms`, `swiglu`, `blocks`"});
    t.choice("cuda_graph", &T::cuda_graph, kCudaGraphs,
             "record a step once and replay it (GPUs); auto: if its shapes never change (synthetic tokens), "
             "at least 3 warm-up steps come first, and blocks are so small that launching them shows");
    t.flag("trace", &T::trace,
           "after the last step run one more and write it as traces/TASK-rankN.json for Perfetto or "
           "chrome://tracing");
    t.unsigned_integer("seed", &T::seed, "of weights and data order");
    t.check(check_steps);
    return t;
  }();
  return table;
}

void check_schedule(ObjectReader& reader, const Schedule& schedule) {
  if (schedule.kind == ScheduleKind::kStep && schedule.step_every < 1) {
    reader.error("step_every", "the schedule \"step\" needs step_every",
                 "write the steps between two decays, e.g. 100");
  }
}

const Table<Schedule>& schedule_settings() {
  static const Table<Schedule> table = [] {
    using S = Schedule;
    Table<S> t;
    t.choice("kind", &S::kind, kSchedules, "of the learning rate after the ramp");
    t.integer("warmup_steps", &S::warmup_steps, {0, kMaxSteps}, "linear ramp from 0");
    t.number("min_ratio", &S::min_ratio, {0, 1},
             "floor as a fraction of the peak; linear and cosine would be there one step after the last");
    t.integer("step_every", &S::step_every, {0, kMaxSteps}, "kind step: steps between two decays");
    t.number("step_gamma", &S::step_gamma, {0, 1}, "kind step: factor per decay");
    t.check(check_schedule);
    return t;
  }();
  return table;
}

/// 0 lies within the bounds of a number, and has an error that says more.
void read_learning_rate(ObjectReader& reader, Optimizer& optimizer) {
  reader.number("lr", optimizer.lr, 0, 100);
  if (optimizer.lr == 0) reader.error("lr", "a learning rate of 0 trains nothing", "write e.g. 2e-5");
}

const Table<Optimizer>& optimizer_settings() {
  static const Table<Optimizer> table = [] {
    using O = Optimizer;
    Table<O> t;
    t.custom("lr",
             {{"type", "number"}, {"exclusiveMinimum", 0}, {"maximum", 100}, {"default", Optimizer{}.lr}},
             "peak learning rate", read_learning_rate,
             [](const O& optimizer, Json& object) { object["lr"] = optimizer.lr; });
    t.number("beta1", &O::beta1, {0, 0.999999}, "AdamW: decay of the first moment");
    t.number("beta2", &O::beta2, {0, 0.99999999}, "AdamW: decay of the second moment");
    t.number("eps", &O::eps, {1e-30, 1}, "AdamW: added to the root of the second moment");
    t.number("weight_decay", &O::weight_decay, {0, 100}, "AdamW, decoupled; of matrices, not of norms");
    t.number("grad_clip", &O::grad_clip, {0, 1e9}, "global norm of the gradients at most; 0: off");
    t.section("schedule", &O::schedule, schedule_settings(), "the learning rate over the steps");
    return t;
  }();
  return table;
}

const Table<Data>& data_settings() {
  static const Table<Data> table = [] {
    Table<Data> t;
    t.text("dataset", &Data::dataset,
           "Alpaca .json or .jsonl, a shipped name (cluster-ops), a prepared folder, or \"synthetic\"",
           {.need = Need::kRequired});
    t.text("tokenizer", &Data::tokenizer, "SentencePiece .model",
           {.otherwise = "tokenizer.model in the folder init_from, else beside the dataset"});
    return t;
  }();
  return table;
}

/// Names become parts of file names and of the report's columns.
void check_model_name(ObjectReader& reader, const std::string& name) {
  if (!name.empty() && !is_name(name))
    reader.error("name", fmt::format("\"{}\" is not a model name", name), kNameHelp);
}

}  // namespace

const Table<Model>& model_settings() {
  static const Table<Model> table = [] {
    using M = Model;
    Table<M> t;
    t.editor_schema();
    t.custom(
        "name", {{"type", "string"}, {"pattern", kNamePattern}}, "name in reports: letters, digits, - _ .",
        [](ObjectReader& reader, M& model) {
          reader.text("name", model.name, Need::kRequired);
          check_model_name(reader, model.name);
        },
        [](const M& model, Json& object) { object["name"] = model.name; }, {.need = Need::kRequired});
    t.text("description", &M::description, "one line for `sxbench config list`");
    t.section("arch", &M::arch, architecture_settings(), "dimensions of a Llama-2 style decoder");
    t.section("training", &M::training, training_settings(), "how it is trained");
    t.section("optimizer", &M::optimizer, optimizer_settings(), "AdamW");
    t.section("data", &M::data, data_settings(), "what it is trained on");
    t.text("init_from", &M::init_from, "folder of Hugging Face safetensors",
           {.otherwise =
                "the folder that --models names, if it holds weights; else random weights from the seed"});
    return t;
  }();
  return table;
}

std::string to_string(Precision v) { return enum_name(kPrecisions, v); }
std::string to_string(Sharding v) { return enum_name(kShardings, v); }
std::string to_string(Offload v) { return enum_name(kOffloads, v); }
std::string to_string(const Recompute& v) {
  if (v.automatic) return "auto";
  std::vector<std::string> names;
  for (const auto& [member, name] : kRecomputes) {
    if (v.*member) names.emplace_back(name);
  }
  return names.empty() ? "none" : join(names, ",");
}
std::string to_string(CudaGraph v) { return enum_name(kCudaGraphs, v); }
std::string to_string(ScheduleKind v) { return enum_name(kSchedules, v); }

}  // namespace sxb::config
