// Weights in a Hugging Face folder and the model that is trained from them: what its config.json says.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/model/model.h"

namespace sxb::config {

/// The folder holds safetensors: model.safetensors or its index.
bool holds_weights(const std::filesystem::path& folder);
/// The name of a file there with weights of another format; empty if there is none.
std::string other_weights(const std::filesystem::path& folder);
/// The folder of the weights that init_from names; init_from may be one file in it.
std::filesystem::path weights_folder(const Model& model);

/// Name and shape of every tensor of a Llama with these dimensions, as transformers calls them.
std::map<std::string, std::vector<std::int64_t>> tensor_shapes(const Architecture& arch);

/// The config.json beside the weights says what the model says, of all that changes the mathematics: one
/// error per key with both values. Without a config.json there is nothing to compare.
Status check_weights_config(const Model& model);

/// What a training from weights is to be told of, one remark each: no config.json beside them, a tokenizer
/// that is not theirs or of which that is not known. `code` is a finding's.
struct WeightsRemark {
  std::string code;
  Error error;
};
std::vector<WeightsRemark> weights_remarks(const Model& model);

/// What only the training knows of a model that is saved.
struct SavedFacts {
  std::string dtype;                     ///< "bfloat16", "float32"
  std::optional<std::int64_t> bos, eos;  ///< of the tokens that it was trained on
};
/// The config.json of a trained model: that of the weights it began with, if it is there, with what was
/// trained; else of the model alone.
Json config_to_save(const Model& model, const SavedFacts& facts);

/// The files that go beside saved weights: first the SentencePiece model whatever it is called, then what
/// transformers keeps beside it. `hash`: of the tokenizer that the data was prepared with; another is not
/// taken. Empty if it is not here.
std::vector<std::filesystem::path> tokenizer_files(const Model& model, const std::string& hash);

}  // namespace sxb::config
