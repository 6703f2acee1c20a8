// A config.json of the transformers library, read as one of our models. Key names and defaults:
// transformers, class LlamaConfig.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/folder.h"
#include "base/text.h"
#include "config/model/model_json.h"
#include "config/name.h"
#include "config/reader.h"

namespace sxb::config {
namespace {

/// A name out of "meta-llama/Llama-2-7b-hf", else out of the folder that holds the file.
std::string model_name(const std::string& name_or_path, const std::string& where) {
  std::filesystem::path path(name_or_path);
  if (path.filename().empty()) path = absolute_path(where).parent_path();
  const std::string name = path.filename().string();
  return name.empty() ? "custom" : as_name(name);
}

void refuse_flag(ObjectReader& reader, const char* key, const char* what, const char* help) {
  bool set = false;
  reader.flag(key, set);
  if (set) reader.error(key, what, help);
}

bool names_a_llama(const Json& classes) {
  return classes.is_array() &&
         (classes.empty() || std::any_of(classes.begin(), classes.end(), [](const Json& name) {
            return name.is_string() && upper(name.get<std::string>()).starts_with("LLAMA");
          }));
}

/// What the shape keys do not say and would change the mathematics.
void refuse_other_models(ObjectReader& reader) {
  constexpr const char* kOnlyLlama =
      "sxbench trains Llama-2 style models; use a config.json with model_type \"llama\"";
  std::string type = "llama";
  reader.text("model_type", type);
  if (type != "llama")
    reader.error("model_type", fmt::format("a model of type \"{}\" is not a Llama", type), kOnlyLlama);
  if (const Json* classes = reader.find("architectures"); classes != nullptr && !names_a_llama(*classes))
    reader.error("architectures", fmt::format("{} is not a Llama", dump(*classes)), kOnlyLlama);
  refuse_flag(reader, "tie_word_embeddings", "tied word embeddings are not supported",
              "the output head of Llama-2 has weights of its own; set it to false to train such a model");
  refuse_flag(reader, "attention_bias", "biases in the attention projections are not supported", kOnlyLlama);
  refuse_flag(reader, "mlp_bias", "biases in the MLP are not supported", kOnlyLlama);
  std::string activation = "silu";
  reader.text("hidden_act", activation);
  if (activation != "silu") {
    reader.error("hidden_act", fmt::format("the activation \"{}\" is not supported", activation),
                 "Llama-2 has silu");
  }
  refuse_changing_keys(reader);
}

/// The rotary settings in an object of their own: "rope_parameters" of newer versions of the library,
/// "rope_scaling" of older ones, which call the type "type".
void read_rope_object(ObjectReader& reader, const char* key, double& theta) {
  if (reader.find(key) == nullptr) return;
  const std::size_t errors_before = reader.error_count();
  ObjectReader rope = reader.child(key);
  rope.number("rope_theta", theta, 1, 1e12);
  bool plain = true;
  for (const char* name : {"rope_type", "type"}) {
    std::string type = "default";
    rope.text(name, type);
    plain = plain && type == "default";
    if (type != "default") {
      rope.error(name, fmt::format("the rotary embedding \"{}\" is not supported", type),
                 "sxbench has the plain rotary embedding of Llama-2 (\"default\")");
    }
  }
  if (!plain || reader.error_count() != errors_before) return;  // said once
  for (const auto& item : rope.json().items()) {
    const bool known = item.key() == "rope_theta" || item.key() == "rope_type" || item.key() == "type";
    const bool whole = item.key() == "partial_rotary_factor" && item.value() == 1;
    if (known || whole || item.value().is_null()) continue;
    rope.error(item.key(), fmt::format("\"{}\" of the rotary embedding is not supported", item.key()),
               "sxbench has the plain rotary embedding of Llama-2, which has rope_theta alone");
  }
}

void read_rope(ObjectReader& reader, double& theta) {
  reader.number("rope_theta", theta, 1, 1e12);
  read_rope_object(reader, "rope_scaling", theta);
  read_rope_object(reader, "rope_parameters", theta);
}

/// An error about our key, moved to the key of theirs that it came from.
Error in_their_words(Error error) {
  constexpr std::pair<const char*, const char*> kKeys[] = {{"/arch/hidden", "/hidden_size"},
                                                           {"/arch/heads", "/num_attention_heads"},
                                                           {"/arch/kv_heads", "/num_key_value_heads"}};
  for (const auto& [ours, theirs] : kKeys) {
    const std::string tail = std::string(":") + ours;
    if (error.where.ends_with(tail))
      error.where.replace(error.where.size() - tail.size() + 1, std::string::npos, theirs);
  }
  return error;
}

void read_shape(ObjectReader& reader, Architecture& arch) {
  constexpr std::int64_t kMax = 1 << 20;
  reader.integer("hidden_size", arch.hidden, 1, kMax, Need::kRequired);
  reader.integer("intermediate_size", arch.ffn, 1, kMax, Need::kRequired);
  reader.integer("num_hidden_layers", arch.layers, 1, 10000, Need::kRequired);
  reader.integer("num_attention_heads", arch.heads, 1, 65536, Need::kRequired);
  arch.kv_heads = arch.heads;
  reader.integer("num_key_value_heads", arch.kv_heads, 1, 65536);
  reader.integer("vocab_size", arch.vocab, 2, 1 << 24, Need::kRequired);
  arch.norm_eps = 1e-6;
  reader.number("rms_norm_eps", arch.norm_eps, 1e-12, 1e-1);
  read_rope(reader, arch.rope_theta);
}

/// The recipe of a model that comes without one: the 7B preset of the execution guide with the
/// smallest micro-batch and few steps, to be changed with --set.
void set_default_recipe(Model& model, std::int64_t max_positions) {
  model.training.seq_len = std::min<std::int64_t>(2048, max_positions);
  model.training.micro_batch = 1;
  model.training.grad_accumulation = 16;
  model.training.steps = 100;
  model.training.warmup = 10;
  model.optimizer.schedule.warmup_steps = 10;
  model.data.dataset = "cluster-ops";
}

}  // namespace

bool is_hugging_face(const Json& json) {
  if (!json.is_object() || json.contains("arch")) return false;
  return json.contains("hidden_size") || json.contains("num_hidden_layers") ||
         json.contains("architectures") || json.contains("model_type");
}

Result<Model> from_hugging_face(const Json& json, const std::string& where) {
  Errors errors;
  ObjectReader reader(json, where, "", errors);
  refuse_other_models(reader);
  Model model;
  read_shape(reader, model.arch);
  std::int64_t head_dim = 0;
  reader.integer("head_dim", head_dim, 1, 65536);
  if (head_dim != 0 && head_dim * model.arch.heads != model.arch.hidden) {
    reader.error("head_dim",
                 fmt::format("head_dim ({}) x heads ({}) differs from hidden_size ({})", head_dim,
                             model.arch.heads, model.arch.hidden),
                 "sxbench has heads of hidden_size / num_attention_heads, as Llama-2");
  }
  std::int64_t max_positions = 2048;
  reader.integer("max_position_embeddings", max_positions, 2, 1 << 30);
  set_default_recipe(model, max_positions);
  std::string path;
  reader.text("_name_or_path", path);
  model.name = model_name(path, where);
  model.description = "imported from a Hugging Face config.json, with the default recipe";
  if (!errors.empty()) return errors;
  // The checks across keys are those of our own form; what they report lies elsewhere in this file.
  auto checked = parse_model(to_json(model), where);
  if (checked.ok()) return checked;
  for (const Error& error : checked.errors()) errors.push_back(in_their_words(error));
  return errors;
}

}  // namespace sxb::config
