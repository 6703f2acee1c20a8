// Weights to begin with, and those that are saved: their config.json and their tokenizer.
#include "config/model/weights.h"

#include <gmock/gmock.h>

#include "base/files.h"
#include "base/hash.h"
#include "config/testing.h"

namespace sxb::config {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class Weights : public CleanEnvironment {
 protected:
  void SetUp() override {
    CleanEnvironment::SetUp();
    weights_ = fs::path(folder_) / "weights";
    fs::create_directories(weights_);
    model_ = parse_model(json_of(R"({
      "name": "m", "arch": {"hidden": 64, "ffn": 128, "layers": 2, "heads": 4, "kv_heads": 2, "vocab": 100},
      "training": {"seq_len": 32, "steps": 10}, "data": {"dataset": "synthetic"}})"),
                         "m.json")
                 .value();
    model_.init_from = weights_.string();
    theirs_ = {{"architectures", {"LlamaForCausalLM"}},
               {"model_type", "llama"},
               {"hidden_size", 64},
               {"intermediate_size", 128},
               {"num_hidden_layers", 2},
               {"num_attention_heads", 4},
               {"num_key_value_heads", 2},
               {"vocab_size", 100},
               {"rms_norm_eps", 1e-5},
               {"rope_theta", 10000.0},
               {"max_position_embeddings", 4096},
               {"bos_token_id", 1},
               {"eos_token_id", {2, 7}},
               {"pad_token_id", 3},
               {"initializer_range", 0.02},
               {"torch_dtype", "float16"}};
    put(theirs_);
  }
  void put(const Json& json) { ASSERT_TRUE(write_file_atomic(weights_ / "config.json", dump(json)).ok()); }
  Errors errors_with(const char* key, const Json& value) {
    Json other = theirs_;
    other[key] = value;
    put(other);
    return check_weights_config(model_).errors();
  }
  fs::path weights_;
  Model model_;
  Json theirs_;
};

TEST_F(Weights, ThoseOfTheModelAreTaken) {
  EXPECT_THAT(check_weights_config(model_).errors(), IsEmpty());
  EXPECT_THAT(errors_with("rms_norm_eps", 9.999999747378752e-06), IsEmpty()) << "1e-5 as a float";
  fs::remove(weights_ / "config.json");
  EXPECT_THAT(check_weights_config(model_).errors(), IsEmpty());
  model_.init_from.clear();
  EXPECT_THAT(check_weights_config(model_).errors(), IsEmpty());
}

TEST_F(Weights, EveryDifferenceIsRefusedWithBothValues) {
  const std::vector<std::tuple<const char*, Json, std::string, std::string>> differences = {
      {"hidden_size", 128, "hidden_size 128", "arch.hidden 64"},
      {"intermediate_size", 256, "intermediate_size 256", "arch.ffn 128"},
      {"num_hidden_layers", 3, "num_hidden_layers 3", "arch.layers 2"},
      {"num_attention_heads", 8, "num_attention_heads 8", "arch.heads 4"},
      {"num_key_value_heads", 4, "num_key_value_heads 4", "arch.kv_heads 2"},
      {"vocab_size", 200, "vocab_size 200", "arch.vocab 100"},
      {"rope_theta", 500000.0, "rope_theta 500000", "arch.rope_theta 10000"},
      {"rms_norm_eps", 1e-6, "rms_norm_eps 1e-06", "arch.norm_eps 1e-05"}};
  for (const auto& [key, value, of_weights, of_model] : differences) {
    const Errors errors = errors_with(key, value);
    ASSERT_THAT(errors, SizeIs(1)) << key;
    EXPECT_THAT(errors[0].what, AllOf(HasSubstr(of_weights), HasSubstr("model m has " + of_model)));
    EXPECT_EQ(errors[0].where, (weights_ / "config.json").string() + ":/" + key);
    EXPECT_THAT(errors[0].help, AllOf(HasSubstr("--models " + weights_.string()), HasSubstr("--set arch.")));
    EXPECT_EQ(errors[0].code, ExitCode::kUsage);
  }
}

TEST_F(Weights, WhatALlamaCannotComputeIsRefused) {
  for (const char* flag : {"attention_bias", "mlp_bias", "tie_word_embeddings"}) {
    const Errors errors = errors_with(flag, true);
    ASSERT_THAT(errors, SizeIs(1)) << flag;
    EXPECT_EQ(errors[0].where, (weights_ / "config.json").string() + ":/" + flag);
  }
  EXPECT_THAT(errors_with("rope_scaling", {{"rope_type", "linear"}, {"factor", 2.0}}),
              testing::Not(IsEmpty()));
  EXPECT_THAT(errors_with("rope_parameters", {{"rope_type", "default"}, {"rope_theta", 5e5}}), SizeIs(1));
  EXPECT_THAT(check_weights_config(model_).error().where,
              HasSubstr("config.json:/rope_parameters/rope_theta"));
}

TEST_F(Weights, ADefaultThatDiffersIsNamedAsSuch) {
  Json other = theirs_;
  other.erase("rms_norm_eps");  // 1e-6 in transformers
  put(other);
  const Errors errors = check_weights_config(model_).errors();
  ASSERT_THAT(errors, SizeIs(1));
  EXPECT_THAT(errors[0].what, HasSubstr("rms_norm_eps 1e-06 (the default, as it is left out)"));
}

TEST_F(Weights, AFolderThatIsNamedAsModelBringsItsWeights) {
  EXPECT_EQ(load_model("./weights")->model.init_from, "") << "it holds none yet";
  ASSERT_TRUE(write_file_atomic(weights_ / "model.safetensors", "x").ok());
  EXPECT_EQ(load_model("./weights")->model.init_from, weights_.string());
  EXPECT_EQ(load_model("./weights/")->model.init_from, weights_.string());
  EXPECT_EQ(load_model("./weights/config.json")->model.init_from, "") << "the shape alone";
  fs::rename(weights_ / "model.safetensors", weights_ / "model.safetensors.index.json");
  const Model taken = load_model("./weights")->model;
  EXPECT_EQ(taken.init_from, weights_.string());
  const auto random = apply_setting(taken, "init_from=");
  ASSERT_TRUE(random.ok()) << format_errors(random.errors());
  EXPECT_EQ(random->init_from, "");
}

TEST_F(Weights, WeightsOfAnotherFormatAreNotPassedOver) {
  ASSERT_TRUE(write_file_atomic(weights_ / "pytorch_model-00001-of-00002.bin", "x").ok());
  const auto model = load_model("./weights");
  ASSERT_FALSE(model.ok());
  EXPECT_THAT(model.error().what, HasSubstr("pytorch_model-00001-of-00002.bin"));
  EXPECT_THAT(model.error().help, HasSubstr("--models ./weights/config.json"));
  EXPECT_TRUE(load_model("./weights/config.json").ok());
}

TEST_F(Weights, ATokenizerThatIsNotTheirsIsRemarked) {
  const auto codes = [&] {
    std::vector<std::string> all;
    for (const WeightsRemark& remark : weights_remarks(model_)) {
      EXPECT_FALSE(remark.error.help.empty());
      all.push_back(remark.code);
    }
    return all;
  };
  const std::string shipped = SXB_SOURCE_DIR "/configs/datasets/cluster-ops/tokenizer.model";
  using testing::ElementsAre;
  EXPECT_THAT(codes(), IsEmpty()) << "synthetic tokens";
  model_.data.dataset = "cluster-ops";
  EXPECT_THAT(codes(), ElementsAre("tokenizer_of_dataset"));
  model_.data.tokenizer = "cluster-ops";
  EXPECT_THAT(codes(), IsEmpty()) << "named, and they bring none";
  fs::copy(shipped, weights_ / "tokenizer.model");
  EXPECT_THAT(codes(), IsEmpty()) << "the same";
  ASSERT_TRUE(write_file_atomic(weights_ / "tokenizer.model", "another").ok());
  EXPECT_THAT(codes(), ElementsAre("tokenizer_not_of_weights"));
  model_.data.tokenizer.clear();
  EXPECT_THAT(codes(), IsEmpty()) << "theirs is taken";
  fs::remove(weights_ / "config.json");
  EXPECT_THAT(codes(), ElementsAre("weights_without_config"));
  model_.init_from = (weights_ / "model.safetensors").string();
  EXPECT_THAT(codes(), ElementsAre("weights_without_config")) << "one file of the folder";
  model_.init_from.clear();
  EXPECT_THAT(codes(), IsEmpty());
}

TEST_F(Weights, ASavedConfigKeepsWhatTheWeightsSaid) {
  const Json saved = config_to_save(model_, {"bfloat16", 1, 2});
  EXPECT_EQ(saved.at("max_position_embeddings"), 4096);
  EXPECT_EQ(saved.at("pad_token_id"), 3);
  EXPECT_EQ(saved.at("eos_token_id"), Json({2, 7})) << "the trained one is among them";
  EXPECT_EQ(saved.at("torch_dtype"), "bfloat16");
  EXPECT_EQ(saved.at("initializer_range"), 0.02);
  const Json other = config_to_save(model_, {"bfloat16", 5, 6});
  EXPECT_EQ(other.at("bos_token_id"), 5) << "of the tokens that it was trained on";
  EXPECT_EQ(other.at("eos_token_id"), 6);
  model_.training.seq_len = 8192;
  EXPECT_EQ(config_to_save(model_, {"float32", {}, {}}).at("max_position_embeddings"), 8192);
}

TEST_F(Weights, ASavedConfigIsWholeWithoutAnyToBeginWith) {
  model_.init_from.clear();
  model_.arch.rope_theta = 5e5;
  const Json saved = config_to_save(model_, {"float32", 1, 2});
  EXPECT_EQ(saved.at("max_position_embeddings"), 32);
  EXPECT_EQ(saved.at("bos_token_id"), 1);
  EXPECT_EQ(saved.at("tie_word_embeddings"), false);
  const auto again = parse_model(saved, "saved/config.json");
  ASSERT_TRUE(again.ok()) << format_errors(again.errors());
  EXPECT_EQ(to_json(*again).at("arch"), to_json(model_).at("arch"));
  EXPECT_TRUE(config_to_save(model_, {"float32", {}, {}}).at("bos_token_id").is_null()) << "synthetic tokens";
}

TEST_F(Weights, TheTokenizerOfTheDataGoesBesideThem) {
  const auto files = [&](const std::string& hash) {
    std::vector<std::string> names;
    for (const fs::path& file : tokenizer_files(model_, hash)) names.push_back(file.string());
    return names;
  };
  model_.init_from.clear();
  model_.data.dataset = "cluster-ops";
  const fs::path shipped = SXB_SOURCE_DIR "/configs/datasets/cluster-ops/tokenizer.model";
  const std::string hash = hash_hex(*read_file(shipped));
  EXPECT_THAT(files(hash), testing::ElementsAre(shipped.string()));
  EXPECT_THAT(files("of another"), IsEmpty());
  fs::copy(shipped, weights_ / "tokenizer.model");
  ASSERT_TRUE(write_file_atomic(weights_ / "tokenizer_config.json", "{}").ok());
  model_.init_from = weights_.string();
  EXPECT_THAT(files(hash), testing::ElementsAre((weights_ / "tokenizer.model").string(),
                                                (weights_ / "tokenizer_config.json").string()));
  fs::copy(shipped, weights_ / "mine.model");
  model_.data.tokenizer = (weights_ / "mine.model").string();
  EXPECT_THAT(files(hash), testing::ElementsAre((weights_ / "mine.model").string()));
}

}  // namespace
}  // namespace sxb::config
