#include "config/model/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/text.h"
#include "config/model/model_json.h"
#include "config/reader.h"

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

void check_architecture(const Architecture& arch, ObjectReader& reader) {
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

void read_arch(ObjectReader reader, Architecture& arch) {
  reader.integer("hidden", arch.hidden, 1, kMaxDimension, Need::kRequired);
  reader.integer("ffn", arch.ffn, 1, kMaxDimension, Need::kRequired);
  reader.integer("layers", arch.layers, 1, 10000, Need::kRequired);
  reader.integer("heads", arch.heads, 1, 65536, Need::kRequired);
  arch.kv_heads = arch.heads;
  reader.integer("kv_heads", arch.kv_heads, 1, 65536);
  reader.integer("vocab", arch.vocab, 2, kMaxVocab, Need::kRequired);
  reader.number("rope_theta", arch.rope_theta, 1, 1e12);
  reader.number("norm_eps", arch.norm_eps, 1e-12, 1e-1);
  check_architecture(arch, reader);
  reader.finish();
}

/// The names at `key`: a list, or, as --set gives it, one text: "norms,swiglu", "[\"norms\"]", "none".
std::vector<Json> recompute_names(const Json& value) {
  if (value.is_array()) return value.get<std::vector<Json>>();
  if (!value.is_string()) return {value};
  const std::string text = value.get<std::string>();
  const Json list = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (list.is_array()) return list.get<std::vector<Json>>();
  if (text == "none") return {};
  std::vector<Json> names;
  for (const std::string& name : split(text, ',')) names.emplace_back(std::string(trim(name)));
  return names;
}

void read_recompute(ObjectReader& reader, Recompute& recompute) {
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

void read_comm(ObjectReader reader, CommOptions& comm) {
  reader.flag("symmetric", comm.symmetric);
  reader.flag("zero_cta", comm.zero_cta);
  reader.integer("max_ctas", comm.max_ctas, 0, 64);
  if (comm.zero_cta && !comm.symmetric) {
    reader.error("zero_cta", "gathers by the copy engines need buffers in symmetric windows",
                 "add --set training.comm.symmetric=true");
  }
  reader.finish();
}

void read_training(ObjectReader reader, Training& training) {
  reader.integer("seq_len", training.seq_len, 2, kMaxDimension, Need::kRequired);
  reader.integer("micro_batch", training.micro_batch, 1, 65536);
  reader.integer("grad_accumulation", training.grad_accumulation, 1, 65536);
  reader.integer("steps", training.steps, 1, kMaxSteps, Need::kRequired);
  reader.integer("warmup", training.warmup, 0, kMaxSteps);
  reader.choice("precision", training.precision, kPrecisions);
  reader.choice("reduce_precision", training.reduce_precision, kPrecisions);
  reader.choice("sharding", training.sharding, kShardings);
  reader.integer("resident_blocks", training.resident_blocks, 2, 10000);
  reader.choice("offload", training.offload, kOffloads);
  read_comm(reader.child("comm"), training.comm);
  read_recompute(reader, training.recompute);
  reader.choice("cuda_graph", training.cuda_graph, kCudaGraphs);
  reader.flag("trace", training.trace);
  reader.unsigned_integer("seed", training.seed);
  if (training.steps > 0 && training.warmup >= training.steps) {
    reader.error(
        "warmup",
        fmt::format("warmup ({}) leaves none of the {} steps to measure", training.warmup, training.steps),
        fmt::format("use --warmup {} or --steps {}", training.steps / 5, training.warmup + 10));
  }
  reader.finish();
}

void read_schedule(ObjectReader reader, Schedule& schedule) {
  reader.choice("kind", schedule.kind, kSchedules);
  reader.integer("warmup_steps", schedule.warmup_steps, 0, kMaxSteps);
  reader.number("min_ratio", schedule.min_ratio, 0, 1);
  reader.integer("step_every", schedule.step_every, 0, kMaxSteps);
  reader.number("step_gamma", schedule.step_gamma, 0, 1);
  if (schedule.kind == ScheduleKind::kStep && schedule.step_every < 1) {
    reader.error("step_every", "the schedule \"step\" needs step_every",
                 "write the steps between two decays, e.g. 100");
  }
  reader.finish();
}

void read_optimizer(ObjectReader reader, Optimizer& optimizer) {
  reader.number("lr", optimizer.lr, 0, 100);
  if (optimizer.lr == 0) reader.error("lr", "a learning rate of 0 trains nothing", "write e.g. 2e-5");
  reader.number("beta1", optimizer.beta1, 0, 0.999999);
  reader.number("beta2", optimizer.beta2, 0, 0.99999999);
  reader.number("eps", optimizer.eps, 1e-30, 1);
  reader.number("weight_decay", optimizer.weight_decay, 0, 100);
  reader.number("grad_clip", optimizer.grad_clip, 0, 1e9);
  read_schedule(reader.child("schedule"), optimizer.schedule);
  reader.finish();
}

void read_data(ObjectReader reader, Data& data) {
  reader.text("dataset", data.dataset, Need::kRequired);
  reader.text("tokenizer", data.tokenizer);
  reader.finish();
}

/// Names become parts of file names and of the report's columns.
void check_name(const std::string& name, ObjectReader& reader) {
  const bool clean = std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '_' || c == '.';
  });
  if (!clean)
    reader.error("name", fmt::format("\"{}\" is not a model name", name), "use letters, digits, - _ .");
}

Json arch_to_json(const Architecture& arch) {
  return {{"hidden", arch.hidden},         {"ffn", arch.ffn},           {"layers", arch.layers},
          {"heads", arch.heads},           {"kv_heads", arch.kv_heads}, {"vocab", arch.vocab},
          {"rope_theta", arch.rope_theta}, {"norm_eps", arch.norm_eps}};
}

Json recompute_to_json(const Recompute& recompute) {
  if (recompute.automatic) return "auto";
  Json names = Json::array();
  for (const auto& [member, name] : kRecomputes) {
    if (recompute.*member) names.push_back(name);
  }
  return names;
}

Json training_to_json(const Training& training) {
  return {{"seq_len", training.seq_len},
          {"micro_batch", training.micro_batch},
          {"grad_accumulation", training.grad_accumulation},
          {"steps", training.steps},
          {"warmup", training.warmup},
          {"precision", to_string(training.precision)},
          {"reduce_precision", to_string(training.reduce_precision)},
          {"sharding", to_string(training.sharding)},
          {"resident_blocks", training.resident_blocks},
          {"offload", to_string(training.offload)},
          {"comm",
           {{"symmetric", training.comm.symmetric},
            {"zero_cta", training.comm.zero_cta},
            {"max_ctas", training.comm.max_ctas}}},
          {"recompute", recompute_to_json(training.recompute)},
          {"cuda_graph", to_string(training.cuda_graph)},
          {"trace", training.trace},
          {"seed", training.seed}};
}

Json optimizer_to_json(const Optimizer& optimizer) {
  const Schedule& schedule = optimizer.schedule;
  return {{"lr", optimizer.lr},
          {"beta1", optimizer.beta1},
          {"beta2", optimizer.beta2},
          {"eps", optimizer.eps},
          {"weight_decay", optimizer.weight_decay},
          {"grad_clip", optimizer.grad_clip},
          {"schedule",
           {{"kind", to_string(schedule.kind)},
            {"warmup_steps", schedule.warmup_steps},
            {"min_ratio", schedule.min_ratio},
            {"step_every", schedule.step_every},
            {"step_gamma", schedule.step_gamma}}}};
}

}  // namespace

std::int64_t Architecture::matmul_parameters() const {
  const std::int64_t kv = kv_heads * head_dim();
  const std::int64_t attention = 2 * hidden * hidden + 2 * hidden * kv;  // q and output; k and v
  const std::int64_t mlp = 3 * hidden * ffn;                             // gate, up, down
  return layers * (attention + mlp) + vocab * hidden;
}

std::int64_t Architecture::parameters() const {
  const std::int64_t norms = (2 * layers + 1) * hidden;
  return matmul_parameters() + norms + vocab * hidden;
}

Result<Model> parse_model(const Json& json, const std::string& where) {
  if (is_hugging_face(json)) return from_hugging_face(json, where);
  Errors errors;
  Model model;
  ObjectReader reader(json, where, "", errors);
  std::string schema;  // for editors only
  reader.text("$schema", schema);
  reader.text("name", model.name, Need::kRequired);
  check_name(model.name, reader);
  reader.text("description", model.description);
  read_arch(reader.child("arch"), model.arch);
  read_training(reader.child("training"), model.training);
  read_optimizer(reader.child("optimizer"), model.optimizer);
  read_data(reader.child("data"), model.data);
  reader.text("init_from", model.init_from);
  reader.finish();
  if (!errors.empty()) return errors;
  model.source = where;
  return model;
}

Json to_json(const Model& model) {
  return {{"name", model.name},
          {"description", model.description},
          {"arch", arch_to_json(model.arch)},
          {"training", training_to_json(model.training)},
          {"optimizer", optimizer_to_json(model.optimizer)},
          {"data", {{"dataset", model.data.dataset}, {"tokenizer", model.data.tokenizer}}},
          {"init_from", model.init_from}};
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
