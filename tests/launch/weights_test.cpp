// Weights of another model are refused before a rank starts.
#include "launch/node/weights.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "base/files.h"
#include "base/json.h"
#include "base/secret.h"

namespace sxb::launch {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// tests/fixtures/hf-tiny with a config.json, and the model that it is of.
class NodeWeights : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(dir_);
    fs::copy(fs::path(SXB_TEST_DATA) / "hf-tiny" / "model.safetensors", dir_);
    model_.name = "tiny";
    model_.arch.hidden = 64, model_.arch.ffn = 176, model_.arch.layers = 2, model_.arch.heads = 4,
    model_.arch.kv_heads = 2, model_.arch.vocab = 1024;
    model_.init_from = dir_.string();
    put("rope_theta", 10000.0);
  }
  void TearDown() override { fs::remove_all(dir_); }
  void put(const char* key, const Json& value) {
    Json config = {{"model_type", "llama"},  {"hidden_size", 64},        {"intermediate_size", 176},
                   {"num_hidden_layers", 2}, {"num_attention_heads", 4}, {"num_key_value_heads", 2},
                   {"vocab_size", 1024},     {"rms_norm_eps", 1e-5},     {"rope_theta", 10000.0}};
    config[key] = value;
    ASSERT_TRUE(write_file_atomic(dir_ / "config.json", dump(config)).ok());
  }
  fs::path dir_ = fs::path(::testing::TempDir()) / ("sxb-" + random_token());
  config::Model model_;
};

TEST_F(NodeWeights, ThoseOfTheModelAreTaken) {
  EXPECT_THAT(check_weights(model_).errors(), IsEmpty());
  model_.init_from = (dir_ / "model.safetensors").string();
  EXPECT_THAT(check_weights(model_).errors(), IsEmpty());
  fs::remove(dir_ / "config.json");
  EXPECT_THAT(check_weights(model_).errors(), IsEmpty());
  model_.init_from.clear();
  EXPECT_THAT(check_weights(model_).errors(), IsEmpty());
}

TEST_F(NodeWeights, AnotherConfigIsRefused) {
  put("rope_theta", 500000.0);
  const Status status = check_weights(model_);
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().what, AllOf(HasSubstr("rope_theta 500000"), HasSubstr("arch.rope_theta 10000")));
  EXPECT_EQ(status.error().where, (dir_ / "config.json").string() + ":/rope_theta");
  EXPECT_EQ(status.error().code, ExitCode::kUsage);
}

TEST_F(NodeWeights, TensorsThatWouldBeLeftOutAreRefused) {
  fs::remove(dir_ / "config.json");
  model_.arch.layers = 1;
  Status status = check_weights(model_);
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().what,
              AllOf(HasSubstr("hold 9 tensors that model tiny does not have"), HasSubstr("model.layers.1.")));
  model_.arch.layers = 3;
  status = check_weights(model_);
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().what,
              AllOf(HasSubstr("lack 9 of the 30 tensors"), HasSubstr("model.layers.2.")));
}

TEST_F(NodeWeights, ADamagedFileHasARemedy) {
  fs::resize_file(dir_ / "model.safetensors", 100);
  EXPECT_FALSE(check_weights(model_).error().help.empty());
  fs::remove(dir_ / "model.safetensors");
  EXPECT_FALSE(check_weights(model_).error().help.empty());
}

TEST_F(NodeWeights, WeightsAreNotSavedOverThoseOfOthers) {
  const Status status = check_save_folder(dir_.string(), model_, false);
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().what, HasSubstr("config.json, which sxbench did not write"));
  EXPECT_TRUE(check_save_folder((dir_ / "new").string(), model_, false).ok());
}

}  // namespace
}  // namespace sxb::launch
