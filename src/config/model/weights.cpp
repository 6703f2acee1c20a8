#include "config/model/weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/files.h"
#include "base/folder.h"
#include "base/hash.h"
#include "config/model/model_json.h"

namespace sxb::config {
namespace fs = std::filesystem;
namespace {

bool is_plain_file(const fs::path& path) {
  std::error_code ec;
  return fs::is_regular_file(path, ec);
}

/// A dimension, what the two files call it and where it lies in Architecture.
template <typename T>
struct SharedKey {
  const char* theirs;
  const char* ours;
  T Architecture::*member;
};

constexpr SharedKey<std::int64_t> kSizes[] = {{"hidden_size", "hidden", &Architecture::hidden},
                                              {"intermediate_size", "ffn", &Architecture::ffn},
                                              {"num_hidden_layers", "layers", &Architecture::layers},
                                              {"num_attention_heads", "heads", &Architecture::heads},
                                              {"num_key_value_heads", "kv_heads", &Architecture::kv_heads},
                                              {"vocab_size", "vocab", &Architecture::vocab}};
constexpr SharedKey<double> kNumbers[] = {{"rope_theta", "rope_theta", &Architecture::rope_theta},
                                          {"rms_norm_eps", "norm_eps", &Architecture::norm_eps}};

/// Values went through a float on their way into some files.
bool is_same(double a, double b) { return std::abs(a - b) <= 1e-6 * std::max(std::abs(a), std::abs(b)); }
bool is_same(std::int64_t a, std::int64_t b) { return a == b; }

std::string pointer_of(const Json& json, const std::string& key) {
  // In the order in which the reader of the file lets one outdo the other.
  for (const char* object : {"rope_parameters", "rope_scaling"}) {
    if (json.contains(object) && json.at(object).is_object() && json.at(object).contains(key))
      return fmt::format("/{}/{}", object, key);
  }
  return json.contains(key) ? "/" + key : "";  // left out: the default of transformers
}

template <typename Keys>
void compare_keys(const Keys& keys, const Json& json, const Architecture& theirs, const Model& model,
                  const fs::path& file, Errors& errors) {
  for (const auto& key : keys) {
    const auto of_weights = theirs.*key.member;
    const auto of_model = model.arch.*key.member;
    if (is_same(of_weights, of_model)) continue;
    const std::string pointer = pointer_of(json, key.theirs);
    errors.push_back({fmt::format("the weights were made with {} {}{}, model {} has arch.{} {}", key.theirs,
                                  of_weights, pointer.empty() ? " (the default, as it is left out)" : "",
                                  model.name, key.ours, of_model),
                      file.string() + (pointer.empty() ? "" : ":" + pointer),
                      fmt::format("train them as they were made: --models {}, or --set arch.{}={}",
                                  file.parent_path().string(), key.ours, of_weights)});
  }
}

/// Empty if it cannot be read: what then fails says so.
std::string hash_of(const fs::path& file) {
  const auto bytes = read_file(file);
  return bytes.ok() ? hash_hex(*bytes) : "";
}

/// The token id of a config, kept as it is where it says the same and more: Llama 3 has several ends.
void set_token(Json& json, const char* key, const std::optional<std::int64_t>& id) {
  Json& now = json[key];
  if (!id) return;
  if (now.is_array() && std::find(now.begin(), now.end(), Json(*id)) != now.end()) return;
  now = *id;
}

}  // namespace

bool holds_weights(const fs::path& folder) {
  return is_plain_file(folder / "model.safetensors") ||
         is_plain_file(folder / "model.safetensors.index.json");
}

std::string other_weights(const fs::path& folder) {
  std::vector<std::string> found;
  std::error_code ec;
  for (const fs::path& entry : paths_in(folder, ec)) {
    const fs::path name = entry.filename();
    const bool named_so = [&] {
      for (const char* start : {"pytorch_model", "consolidated", "flax_model", "tf_model"}) {
        if (name.string().starts_with(start) && name.extension() != ".json") return true;
      }
      return name.extension() == ".gguf";
    }();
    if (named_so) found.push_back(name.string());
  }
  return found.empty() ? "" : *std::min_element(found.begin(), found.end());
}

fs::path weights_folder(const Model& model) {
  const fs::path path = model.init_from;
  return path.extension() == ".safetensors" ? path.parent_path() : path;
}

std::map<std::string, std::vector<std::int64_t>> tensor_shapes(const Architecture& arch) {
  const std::int64_t hidden = arch.hidden, ffn = arch.ffn, kv = arch.kv_heads * arch.head_dim();
  std::map<std::string, std::vector<std::int64_t>> shapes = {
      {"model.embed_tokens.weight", {arch.vocab, hidden}},
      {"model.norm.weight", {hidden}},
      {"lm_head.weight", {arch.vocab, hidden}}};
  for (std::int64_t i = 0; i < arch.layers; ++i) {
    const std::string layer = fmt::format("model.layers.{}.", i);
    shapes[layer + "input_layernorm.weight"] = {hidden};
    shapes[layer + "self_attn.q_proj.weight"] = {hidden, hidden};
    shapes[layer + "self_attn.k_proj.weight"] = {kv, hidden};
    shapes[layer + "self_attn.v_proj.weight"] = {kv, hidden};
    shapes[layer + "self_attn.o_proj.weight"] = {hidden, hidden};
    shapes[layer + "post_attention_layernorm.weight"] = {hidden};
    shapes[layer + "mlp.gate_proj.weight"] = {ffn, hidden};
    shapes[layer + "mlp.up_proj.weight"] = {ffn, hidden};
    shapes[layer + "mlp.down_proj.weight"] = {hidden, ffn};
  }
  return shapes;
}

Status check_weights_config(const Model& model) {
  const fs::path file = weights_folder(model) / "config.json";
  if (model.init_from.empty() || !is_plain_file(file)) return ok_status();
  SXB_ASSIGN_OR_RETURN(const Json json, load_json(file));
  if (!is_hugging_face(json)) {
    return Error{"the config.json beside the weights is none of transformers", file.string(),
                 "put the config.json that belongs to the weights there"};
  }
  SXB_ASSIGN_OR_RETURN(const Model theirs, from_hugging_face(json, file.string()));
  Errors errors;
  compare_keys(kSizes, json, theirs.arch, model, file, errors);
  compare_keys(kNumbers, json, theirs.arch, model, file, errors);
  if (!errors.empty()) return errors;
  return ok_status();
}

std::vector<WeightsRemark> weights_remarks(const Model& model) {
  std::vector<WeightsRemark> remarks;
  if (model.init_from.empty()) return remarks;
  const fs::path folder = weights_folder(model);
  if (!is_plain_file(folder / "config.json")) {
    remarks.push_back(
        {"weights_without_config",
         Error{fmt::format("the weights of model {} have no config.json beside them: whether they were made "
                           "with its rope_theta, norm_eps and heads is not checked",
                           model.name),
               folder.string(), "copy the config.json of the weights there"}});
  }
  const auto files = locate_data(model);
  if (!files.ok() || files->kind == DataFiles::Kind::kSynthetic) return remarks;
  const fs::path own = folder / "tokenizer.model";
  if (!is_plain_file(own) && model.data.tokenizer.empty()) {
    const std::string used = files->tokenizer.empty() ? files->dataset.string() : files->tokenizer.string();
    remarks.push_back(
        {"tokenizer_of_dataset",
         Error{fmt::format("the weights of model {} bring no tokenizer.model: it is trained on the "
                           "ids of {}, which may mean other text to them",
                           model.name, used),
               folder.string(), "name the tokenizer of the weights: --set data.tokenizer=FILE"}});
  } else if (is_plain_file(own) && !files->tokenizer.empty() && hash_of(own) != hash_of(files->tokenizer)) {
    remarks.push_back(
        {"tokenizer_not_of_weights",
         Error{fmt::format("model {} is trained on the ids of {}, which is not the tokenizer of "
                           "its weights: they mean other text to them",
                           model.name, files->tokenizer.string()),
               own.string(), "leave data.tokenizer out to take the one of the weights"}});
  }
  return remarks;
}

Json config_to_save(const Model& model, const SavedFacts& facts) {
  Json json = Json::object();
  const fs::path file = weights_folder(model) / "config.json";
  // It was read and compared before the training: what is wrong with it now must not cost the result.
  auto base = model.init_from.empty() ? Result<Json>(json) : load_json(file);
  if (base.ok() && base->is_object()) json = std::move(*base);
  // What names where the weights came from, or says the same as keys below in other words.
  for (const char* key : {"_name_or_path", "transformers_version", "dtype", "rope_parameters"})
    json.erase(key);
  const Architecture& arch = model.arch;
  json["architectures"] = {"LlamaForCausalLM"};
  json["model_type"] = "llama";
  for (const auto& key : kSizes) json[key.theirs] = arch.*key.member;
  for (const auto& key : kNumbers) json[key.theirs] = arch.*key.member;
  json["rope_scaling"] = nullptr;
  json["head_dim"] = arch.head_dim();
  json["hidden_act"] = "silu";
  json["attention_bias"] = false;
  json["mlp_bias"] = false;
  json["tie_word_embeddings"] = false;
  std::int64_t positions = model.training.seq_len;
  const auto known = json.find("max_position_embeddings");
  if (known != json.end() && known->is_number_integer())
    positions = std::max(positions, known->get<std::int64_t>());
  json["max_position_embeddings"] = positions;
  set_token(json, "bos_token_id", facts.bos);
  set_token(json, "eos_token_id", facts.eos);
  json["torch_dtype"] = facts.dtype;
  return json;
}

std::vector<fs::path> tokenizer_files(const Model& model, const std::string& hash) {
  const auto data = locate_data(model);
  if (!data.ok() || !is_plain_file(data->tokenizer) || hash_of(data->tokenizer) != hash) return {};
  std::vector<fs::path> files = {data->tokenizer};
  if (data->tokenizer.filename() != "tokenizer.model") return files;
  for (const char* name :
       {"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "tokenizer.json"}) {
    const fs::path beside = data->tokenizer.parent_path() / name;
    if (is_plain_file(beside)) files.push_back(beside);
  }
  return files;
}

}  // namespace sxb::config
