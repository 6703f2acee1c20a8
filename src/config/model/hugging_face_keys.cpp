// The keys of a config.json of the transformers library that no dimension is read from: which change nothing
// when a Llama is trained, which would change the mathematics, and what is said of the rest. Names:
// transformers, LlamaConfig and PretrainedConfig, and the keys that configs of its relatives add.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/text.h"
#include "config/model/model_json.h"
#include "config/reader.h"

namespace sxb::config {
namespace {

/// Read by from_hugging_face().
constexpr const char* kRead[] = {"_name_or_path",
                                 "architectures",
                                 "attention_bias",
                                 "head_dim",
                                 "hidden_act",
                                 "hidden_size",
                                 "model_type",
                                 "intermediate_size",
                                 "mlp_bias",
                                 "rms_norm_eps",
                                 "rope_parameters",
                                 "rope_scaling",
                                 "max_position_embeddings",
                                 "num_attention_heads",
                                 "num_hidden_layers",
                                 "rope_theta",
                                 "vocab_size",
                                 "num_key_value_heads",
                                 "tie_word_embeddings"};

/// How a model is stored, called, generates or was made; its training is the same.
constexpr const char* kHarmless[] = {"$schema",
                                     "_attn_implementation",
                                     "_attn_implementation_autoset",
                                     "_commit_hash",
                                     "_flash_attn_2_enabled",
                                     "attn_implementation",
                                     "bad_words_ids",
                                     "begin_suppress_tokens",
                                     "bos_token_id",
                                     "chunk_size_feed_forward",
                                     "decoder_start_token_id",
                                     "diversity_penalty",
                                     "do_sample",
                                     "dtype",
                                     "early_stopping",
                                     "encoder_no_repeat_ngram_size",
                                     "eos_token_id",
                                     "exponential_decay_length_penalty",
                                     "finetuning_task",
                                     "forced_bos_token_id",
                                     "forced_eos_token_id",
                                     "gradient_checkpointing",
                                     "id2label",
                                     "initializer_range",
                                     "is_decoder",
                                     "keys_to_ignore_at_inference",
                                     "label2id",
                                     "length_penalty",
                                     "max_length",
                                     "max_sequence_length",
                                     "min_length",
                                     "no_repeat_ngram_size",
                                     "num_beam_groups",
                                     "num_beams",
                                     "num_labels",
                                     "num_return_sequences",
                                     "output_attentions",
                                     "output_hidden_states",
                                     "output_scores",
                                     "pad_token_id",
                                     "prefix",
                                     "pretraining_tp",
                                     "problem_type",
                                     "remove_invalid_values",
                                     "repetition_penalty",
                                     "return_dict",
                                     "return_dict_in_generate",
                                     "sep_token_id",
                                     "suppress_tokens",
                                     "task_specific_params",
                                     "temperature",
                                     "tf_legacy_loss",
                                     "tokenizer_class",
                                     "top_k",
                                     "top_p",
                                     "torch_dtype",
                                     "torchscript",
                                     "transformers_version",
                                     "typical_p",
                                     "unk_token_id",
                                     "use_bfloat16",
                                     "use_cache"};

struct Changing {
  const char* key;
  const char* what;
  double neutral = 0;  ///< a number that changes nothing
};
/// Set to anything else than nothing, the model is another one.
constexpr Changing kChanging[] = {{"add_cross_attention", "cross attention"},
                                  {"attention_dropout", "dropout in the attention"},
                                  {"attention_multiplier", "a scale of the attention of its own"},
                                  {"attn_logit_softcapping", "capped attention logits"},
                                  {"clip_qkv", "clipped projections"},
                                  {"embd_pdrop", "dropout of the embedding"},
                                  {"embedding_multiplier", "a scaled embedding", 1},
                                  {"final_logit_softcapping", "capped logits"},
                                  {"hidden_dropout", "dropout"},
                                  {"hidden_dropout_prob", "dropout"},
                                  {"is_encoder_decoder", "an encoder"},
                                  {"kv_lora_rank", "latent attention"},
                                  {"logit_scale", "scaled logits", 1},
                                  {"logits_scaling", "scaled logits", 1},
                                  {"n_routed_experts", "a mixture of experts"},
                                  {"num_experts", "a mixture of experts"},
                                  {"num_local_experts", "a mixture of experts"},
                                  {"original_max_position_embeddings", "scaled rotary embeddings"},
                                  {"partial_rotary_factor", "rotary embeddings of a part of the head", 1},
                                  {"pruned_heads", "pruned heads"},
                                  {"q_lora_rank", "latent attention"},
                                  {"qk_layernorm", "norms of queries and keys"},
                                  {"qkv_bias", "biases in the attention projections"},
                                  {"quantization_config", "quantized weights"},
                                  {"query_pre_attn_scalar", "a scale of the attention of its own"},
                                  {"resid_pdrop", "dropout of the residual stream"},
                                  {"residual_multiplier", "a scaled residual stream", 1},
                                  {"rotary_pct", "rotary embeddings of a part of the head", 1},
                                  {"use_bias", "biases"},
                                  {"use_parallel_residual", "attention and MLP beside each other"},
                                  {"use_qk_norm", "norms of queries and keys"}};

/// null, false, 0, "" and what is empty: the key says that something is not there.
bool is_unset(const Json& value, double neutral) {
  if (value.is_null() || (value.is_structured() && value.empty())) return true;
  if (value.is_boolean()) return !value.get<bool>();
  if (value.is_number()) return value.get<double>() == 0 || value.get<double>() == neutral;
  return value.is_string() && value.get<std::string>().empty();
}

template <std::size_t N>
bool among(const char* const (&names)[N], const std::string& key) {
  return std::find(std::begin(names), std::end(names), key) != std::end(names);
}

const Changing* find_changing(const std::string& key) {
  const auto it = std::find_if(std::begin(kChanging), std::end(kChanging),
                               [&](const Changing& c) { return key == c.key; });
  return it == std::end(kChanging) ? nullptr : &*it;
}

/// Whole attention in every layer, however a config says it.
bool is_full_attention(const Json& json, const std::string& key, const Json& value) {
  if (key == "sliding_window") return json.value("use_sliding_window", Json(true)) == Json(false);
  if (key == "use_sliding_window")
    return !json.contains("sliding_window") || json["sliding_window"].is_null();
  if (key == "max_window_layers") return true;  // says nothing without a window
  return key == "layer_types" && value.is_array() &&
         std::all_of(value.begin(), value.end(), [](const Json& type) { return type == "full_attention"; });
}

bool speaks_of_windows(const std::string& key) {
  return key == "sliding_window" || key == "use_sliding_window" || key == "max_window_layers" ||
         key == "layer_types";
}

}  // namespace

void refuse_changing_keys(ObjectReader& reader) {
  constexpr const char* kHelp =
      "sxbench trains Llama-2 style models; without the key it would train another model";
  const Json& json = reader.json();
  for (const auto& item : json.items()) {
    const std::string& key = item.key();
    const Changing* changing = find_changing(key);
    if (changing != nullptr && !is_unset(item.value(), changing->neutral)) {
      reader.error(key, fmt::format("not supported: {}", changing->what), kHelp);
    }
    if (speaks_of_windows(key) && !is_unset(item.value(), 0) && !is_full_attention(json, key, item.value()))
      reader.error(key, "attention in a sliding window is not supported", kHelp);
  }
}

Errors hugging_face_warnings(const Json& json, const std::string& where) {
  Errors warnings;
  if (!is_hugging_face(json)) return warnings;
  for (const auto& item : json.items()) {
    const std::string& key = item.key();
    if (is_unset(item.value(), 0) || among(kRead, key) || among(kHarmless, key) || speaks_of_windows(key) ||
        find_changing(key) != nullptr)
      continue;
    warnings.push_back({fmt::format("the key \"{}\" is ignored: sxbench does not know what it changes", key),
                        where + ":/" + pointer_token(key),
                        "if it changes the model, the figures are another model's"});
  }
  return warnings;
}

}  // namespace sxb::config
