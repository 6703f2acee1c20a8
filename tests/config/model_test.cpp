#include "config/model/model.h"

#include <gmock/gmock.h>

#include "config/model/model_json.h"
#include "config/testing.h"

namespace sxb::config {
namespace {

using testing::HasSubstr;
using testing::UnorderedElementsAre;

constexpr const char* kSmall = R"({
  "name": "m", "arch": {"hidden": 64, "ffn": 128, "layers": 2, "heads": 4, "vocab": 100},
  "training": {"seq_len": 32, "steps": 10}, "data": {"dataset": "synthetic"}})";

Model small() { return parse_model(json_of(kSmall), "m.json").value(); }

Errors model_errors(const std::string& text) { return parse_model(json_of(text), "m.json").errors(); }

TEST(ParseModel, FillsInDefaultsAndRoundTrips) {
  const Model m = small();
  EXPECT_EQ(m.arch.kv_heads, 4);
  EXPECT_EQ(m.training.micro_batch, 1);
  EXPECT_EQ(m.training.seed, 1234u);
  EXPECT_EQ(m.optimizer.schedule.kind, ScheduleKind::kCosine);
  EXPECT_EQ(m.source, "m.json");
  Model changed = m;
  changed.description = "d";
  changed.arch.kv_heads = 2;
  changed.arch.rope_theta = 5e5;
  changed.training = {64,
                      2,
                      3,
                      20,
                      4,
                      Precision::kFp32,
                      Precision::kBf16,
                      Sharding::kHybrid,
                      5,
                      Offload::kOptimizer,
                      {true, true, 16},
                      {false, true, false, true},
                      {7, 11, "saved", 3},
                      CudaGraph::kOff,
                      true,
                      18446744073709551615u};
  changed.optimizer = {1e-3, 0.8, 0.95, 1e-6, 0.1, 0, {ScheduleKind::kStep, 3, 0.1, 5, 0.5}};
  changed.data = {"a.json", "t.model"};
  changed.init_from = "weights";
  const auto again = parse_model(to_json(changed), "again");
  ASSERT_TRUE(again.ok()) << format_errors(again.errors());
  EXPECT_EQ(to_json(*again), to_json(changed));
  EXPECT_EQ(again->training.seed, 18446744073709551615u);
  EXPECT_EQ(again->optimizer.schedule.step_every, 5);
}

TEST(ParseModel, ReportsAllErrorsAtOnceEachAtItsPlace) {
  const Errors errors = model_errors(R"({
    "name": "a/b", "arch": {"hidden": 66, "ffn": 1.5, "layers": 2, "heads": 4, "kv_heads": 3},
    "training": {"seq_len": 32, "steps": 10, "warmup": 10, "precision": "fp16", "micro_bach": 2, "seed": -1},
    "optimizer": {"lr": 0, "beta1": 1, "schedule": {"kind": "step"}}, "extra": 1})");
  EXPECT_THAT(
      places(errors),
      UnorderedElementsAre("m.json:/name", "m.json:/arch/hidden", "m.json:/arch/ffn", "m.json:/arch/kv_heads",
                           "m.json:/arch/vocab", "m.json:/training/warmup", "m.json:/training/precision",
                           "m.json:/training/micro_bach", "m.json:/training/seed", "m.json:/optimizer/lr",
                           "m.json:/optimizer/beta1", "m.json:/optimizer/schedule/step_every",
                           "m.json:/data/dataset", "m.json:/extra"));
  EXPECT_EQ(error_at(errors, "m.json:/training/micro_bach").help, "did you mean \"micro_batch\"?");
  EXPECT_EQ(error_at(errors, "m.json:/arch/hidden").what, "hidden (66) is not a multiple of heads (4)");
  EXPECT_EQ(error_at(errors, "m.json:/training/warmup").help, "use --warmup 2 or --steps 20");
  for (const Error& error : errors) EXPECT_FALSE(error.help.empty()) << error.what;
}

TEST(ParseModel, ZeroCtasNeedSymmetricWindows) {
  EXPECT_EQ(apply_setting(small(), "training.comm.max_ctas=16")->training.comm.max_ctas, 16);
  EXPECT_EQ(apply_setting(small(), "training.comm.zero_cta=true").error().help,
            "add --set training.comm.symmetric=true");
  EXPECT_TRUE(apply_settings(small(), {"training.comm.zero_cta=true", "training.comm.symmetric=true"}).ok());
}

TEST(ParseModel, NeedsAnEvenHeadForRotation) {
  EXPECT_THAT(places(model_errors(
                  R"({"name": "m", "arch": {"hidden": 12, "ffn": 8, "layers": 1, "heads": 4, "vocab": 9},
                                   "training": {"seq_len": 8, "steps": 2}, "data": {"dataset": "synthetic"}})")),
              UnorderedElementsAre("m.json:/arch/heads"));
}

TEST(ParseModel, ReportsASectionOfTheWrongTypeOnce) {
  EXPECT_THAT(places(model_errors(R"({"name": "m", "arch": 7, "training": {"seq_len": 8, "steps": 2},
                                   "data": {"dataset": "synthetic"}})")),
              UnorderedElementsAre("m.json:/arch"));
}

TEST(ApplySetting, ChangesOneKeyInItsType) {
  EXPECT_EQ(apply_setting(small(), "model.training.micro_batch=8")->training.micro_batch, 8);
  EXPECT_EQ(apply_setting(small(), "training.steps=1e3")->training.steps, 1000);
  EXPECT_EQ(apply_setting(small(), "optimizer.lr = 3e-4")->optimizer.lr, 3e-4);
  EXPECT_EQ(apply_setting(small(), "training.cuda_graph=off")->training.cuda_graph, CudaGraph::kOff);
  EXPECT_TRUE(apply_setting(small(), "training.trace=true")->training.trace);
  EXPECT_EQ(apply_setting(small(), "name=7")->name, "7");  // a text stays text
  EXPECT_EQ(apply_setting(small(), "training.steps=20")->source, "m.json");
}

TEST(Recompute, IsAListOrOneText) {
  const auto of = [](const Json& value) {
    Json json = json_of(kSmall);
    json["training"]["recompute"] = value;
    return to_string(parse_model(json, "m.json")->training.recompute);
  };
  EXPECT_EQ(to_string(small().training.recompute), "auto");
  EXPECT_EQ(of("auto"), "auto");
  EXPECT_EQ(of(Json::array()), "none");
  EXPECT_EQ(of({"swiglu", "norms"}), "norms,swiglu");
  EXPECT_EQ(of({"blocks"}), "blocks");
  // As --set gives it, whatever the model had before.
  for (const char* before : {"auto", "none", "blocks"}) {
    const auto set = [before](const std::string& text) {
      return to_string(
          apply_settings(small(), {std::string("training.recompute=") + before, "training.recompute=" + text})
              ->training.recompute);
    };
    EXPECT_EQ(set("norms,swiglu"), "norms,swiglu");
    EXPECT_EQ(set("norms, blocks"), "norms,blocks");
    EXPECT_EQ(set("[\"swiglu\"]"), "swiglu");
    EXPECT_EQ(set("[]"), "none");
    EXPECT_EQ(set("none"), "none");
    EXPECT_EQ(set("auto"), "auto");
  }
}

TEST(Recompute, SaysWhichNamesThereAre) {
  const Error error = apply_setting(small(), "training.recompute=norms,block").error();
  EXPECT_THAT(error.where, HasSubstr("/training/recompute"));
  EXPECT_THAT(error.what, HasSubstr("\"block\""));
  EXPECT_EQ(error.help, "did you mean \"blocks\"?");
  EXPECT_THAT(apply_setting(small(), "training.recompute=everything").error().help,
              HasSubstr("norms, swiglu, blocks"));
  EXPECT_THAT(apply_setting(small(), "training.recompute=[3]").error().help, HasSubstr("\"blocks\""));
  EXPECT_FALSE(apply_setting(small(), "training.recompute=").ok());
}

TEST(ApplySetting, ValidatesAgain) {
  EXPECT_THAT(apply_setting(small(), "micro_batch=8").error().help, HasSubstr("\"training.micro_batch\""));
  EXPECT_THAT(apply_setting(small(), "training.micro_bach=8").error().help,
              HasSubstr("training.micro_batch"));
  EXPECT_THAT(apply_setting(small(), "training=8").error().what, HasSubstr("no key"));
  EXPECT_THAT(apply_setting(small(), "steps").error().what, HasSubstr("needs key=value"));
  const Error range = apply_setting(small(), "training.micro_batch=many").error();
  EXPECT_EQ(range.what, "expected an integer, found the string \"many\"");
  EXPECT_THAT(range.where, HasSubstr("--set training.micro_batch=many"));
  EXPECT_THAT(range.where, HasSubstr("/training/micro_batch"));
}

TEST(ApplySetting, TakesSeveralThatAreValidOnlyTogether) {
  EXPECT_FALSE(apply_setting(small(), "training.warmup=15").ok());
  EXPECT_EQ(apply_settings(small(), {"training.warmup=15", "training.steps=30"})->training.warmup, 15);
  EXPECT_EQ(apply_settings(small(), {"training.stepz=3", "optimizer.lr=x", "foo"}).errors().size(), 3u);
}

constexpr const char* kLlama = R"({
  "_name_or_path": "meta-llama/Llama-2-7b-hf", "architectures": ["LlamaForCausalLM"], "hidden_act": "silu",
  "hidden_size": 4096, "intermediate_size": 11008, "max_position_embeddings": 4096, "model_type": "llama",
  "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 32, "pretraining_tp": 1,
  "rms_norm_eps": 1e-05, "rope_scaling": null, "tie_word_embeddings": false, "torch_dtype": "float16",
  "use_cache": true, "vocab_size": 32000})";

TEST(HuggingFace, BecomesAModelWithTheDefaultRecipe) {
  const auto m = parse_model(json_of(kLlama), "config.json");
  ASSERT_TRUE(m.ok()) << format_errors(m.errors());
  EXPECT_EQ(m->name, "Llama-2-7b-hf");
  EXPECT_EQ(m->arch.parameters(), 6738415616);
  EXPECT_EQ(m->arch.norm_eps, 1e-5);
  EXPECT_EQ(m->training.seq_len, 2048);
  EXPECT_EQ(m->source, "config.json");
}

TEST(HuggingFace, NamesTheModelAfterItsFolder) {
  Json json = json_of(kLlama);
  json.erase("_name_or_path");
  EXPECT_EQ(parse_model(json, "/models/my llama/config.json")->name, "my-llama");
}

TEST(HuggingFace, ReadsTheRotaryObjectOfNewerVersions) {
  Json json = json_of(kLlama);
  json["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 500000.0}};
  EXPECT_EQ(parse_model(json, "config.json")->arch.rope_theta, 500000.0);
  json["rope_parameters"]["rope_type"] = "llama3";
  EXPECT_THAT(places(parse_model(json, "c").errors()), UnorderedElementsAre("c:/rope_parameters/rope_type"));
  // The older spelling, and what it would do.
  json["rope_parameters"] = {{"type", "linear"}, {"factor", 4.0}};
  EXPECT_THAT(places(parse_model(json, "c").errors()), UnorderedElementsAre("c:/rope_parameters/type"));
  json["rope_parameters"] = {{"rope_type", "default"}, {"factor", 4.0}};
  EXPECT_THAT(places(parse_model(json, "c").errors()), UnorderedElementsAre("c:/rope_parameters/factor"));
  json["rope_parameters"] = {{"full_attention", {{"rope_type", "default"}}}};
  EXPECT_EQ(parse_model(json, "c").errors().size(), 1u);
  json.erase("rope_parameters");
  json["rope_scaling"] = {{"rope_type", "default"}};
  EXPECT_TRUE(parse_model(json, "c").ok()) << "says nothing";
}

TEST(HuggingFace, RefusesWhatIsNotALlama2) {
  Json json = json_of(kLlama);
  json["model_type"] = "qwen2";
  json["tie_word_embeddings"] = true;
  json["attention_bias"] = true;
  json["mlp_bias"] = true;
  json["rope_scaling"] = {{"type", "linear"}};
  json["hidden_act"] = "gelu";
  json["head_dim"] = 64;
  json.erase("vocab_size");
  const Errors errors = parse_model(json, "c").errors();
  EXPECT_THAT(places(errors), UnorderedElementsAre("c:/model_type", "c:/tie_word_embeddings",
                                                   "c:/attention_bias", "c:/mlp_bias", "c:/rope_scaling/type",
                                                   "c:/hidden_act", "c:/head_dim", "c:/vocab_size"));
  for (const Error& error : errors) EXPECT_FALSE(error.help.empty()) << error.what;
}

TEST(HuggingFace, RefusesWhatWouldChangeTheMathematics) {
  const std::pair<const char*, Json> cases[] = {{"architectures", {"MistralForCausalLM"}},
                                                {"sliding_window", 4096},
                                                {"layer_types", {"full_attention", "sliding_attention"}},
                                                {"attention_dropout", 0.1},
                                                {"partial_rotary_factor", 0.5},
                                                {"num_local_experts", 8},
                                                {"quantization_config", {{"bits", 4}}},
                                                {"residual_multiplier", 0.22},
                                                {"use_qk_norm", true}};
  for (const auto& [key, value] : cases) {
    Json json = json_of(kLlama);
    json.erase("model_type");
    json[key] = value;
    EXPECT_THAT(places(parse_model(json, "c").errors()), UnorderedElementsAre(std::string("c:/") + key));
  }
}

TEST(HuggingFace, TakesKeysThatSayThatSomethingIsNotThere) {
  Json json = json_of(kLlama);
  const std::pair<const char*, Json> cases[] = {{"sliding_window", nullptr},
                                                {"attention_dropout", 0.0},
                                                {"partial_rotary_factor", 1.0},
                                                {"pruned_heads", Json::object()},
                                                {"quantization_config", nullptr},
                                                {"layer_types", {"full_attention", "full_attention"}},
                                                {"pretraining_tp", 2},
                                                {"embedding_multiplier", 1}};
  for (const auto& [key, value] : cases) {
    json[key] = value;
  }
  const auto model = parse_model(json, "c");
  EXPECT_TRUE(model.ok()) << format_errors(model.errors());
  EXPECT_TRUE(hugging_face_warnings(json, "c").empty()) << format_errors(hugging_face_warnings(json, "c"));
  json["sliding_window"] = 4096;
  json["use_sliding_window"] = false;
  EXPECT_TRUE(parse_model(json, "c").ok()) << "a window that is not used";
}

TEST(HuggingFace, SaysWhichKeysItDoesNotKnow) {
  Json json = json_of(kLlama);
  json["brand_new/thing"] = 3;
  json["brand_new_too"] = nullptr;
  EXPECT_TRUE(parse_model(json, "c").ok());
  EXPECT_THAT(places(hugging_face_warnings(json, "c")), UnorderedElementsAre("c:/brand_new~1thing"));
  EXPECT_TRUE(hugging_face_warnings(json_of(kSmall), "c").empty()) << "not a config.json of that library";
}

TEST(HuggingFace, ReportsImpossibleShapesUnderTheirOwnKeys) {
  Json json = json_of(kLlama);
  json["num_key_value_heads"] = 5;
  EXPECT_THAT(places(parse_model(json, "c").errors()), UnorderedElementsAre("c:/num_key_value_heads"));
}

using ResolveModel = CleanEnvironment;

TEST_F(ResolveModel, FindsShippedNamesPathsAndFolders) {
  EXPECT_EQ(resolve_model("7b")->arch.hidden, 4096);
  EXPECT_EQ(resolve_model(write("m.json", kSmall))->name, "m");
  write("llama/config.json", kLlama);
  EXPECT_EQ(resolve_model("./llama")->name, "Llama-2-7b-hf");
  const Error unknown = resolve_model("tinny").error();
  EXPECT_EQ(unknown.what, "unknown model \"tinny\"");
  EXPECT_THAT(unknown.help, HasSubstr("did you mean \"tiny\"?"));
  EXPECT_THAT(unknown.help, HasSubstr("13b, 70b, 7b, tiny"));
  EXPECT_THAT(resolve_model("./none.json").error().what, HasSubstr("no such file"));
}

TEST_F(ResolveModel, AnchorsPathsAtTheFile) {
  Json json = json_of(kSmall);
  json["data"] = {{"dataset", "alpaca.json"}, {"tokenizer", "missing.model"}};
  write("models/alpaca.json", "[]");
  const auto m = resolve_model(write("models/m.json", json.dump()));
  ASSERT_TRUE(m.ok());
  EXPECT_EQ(m->data.dataset, folder_ + "/models/alpaca.json");
  EXPECT_EQ(m->data.tokenizer, "missing.model");
}

TEST_F(ResolveModel, ALeadingTildeIsTheHomeFolder) {
  set("HOME", folder_);
  Json json = json_of(kSmall);
  json["data"] = {{"dataset", "~/a.json"}, {"tokenizer", "~/t.model"}};
  json["init_from"] = "~/weights";
  write("m.json", json.dump());
  const auto m = resolve_model("~/m.json");
  ASSERT_TRUE(m.ok()) << format_errors(m.errors());
  EXPECT_EQ(m->data.dataset, folder_ + "/a.json");
  EXPECT_EQ(m->data.tokenizer, folder_ + "/t.model");
  EXPECT_EQ(m->init_from, folder_ + "/weights");
  EXPECT_EQ(apply_setting(*m, "data.dataset=~/b.json")->data.dataset, folder_ + "/b.json");
}

using LocateData = CleanEnvironment;

TEST_F(LocateData, KnowsTheShippedSet) {
  const auto files = locate_data(*resolve_model("tiny"));
  ASSERT_TRUE(files.ok()) << format_errors(files.errors());
  EXPECT_EQ(files->kind, DataFiles::Kind::kRaw);
  EXPECT_EQ(files->dataset, SXB_SOURCE_DIR "/configs/datasets/cluster-ops/data.json");
  EXPECT_EQ(files->tokenizer, SXB_SOURCE_DIR "/configs/datasets/cluster-ops/tokenizer.model");
}

TEST_F(LocateData, TellsTheKindsApart) {
  Model m = small();
  EXPECT_EQ(locate_data(m)->kind, DataFiles::Kind::kSynthetic);
  write("prepared/index.json", "{}");
  m.data.dataset = folder_ + "/prepared";
  EXPECT_EQ(locate_data(m)->kind, DataFiles::Kind::kPrepared);
  std::filesystem::remove(folder_ + "/prepared/index.json");
  EXPECT_THAT(locate_data(m).error().what, HasSubstr("no index.json"));
  m.data.dataset = write("a.jsonl", "{}");
  EXPECT_THAT(locate_data(m).error().help, HasSubstr("--set data.tokenizer"));
  m.data.tokenizer = "cluster-ops";
  EXPECT_EQ(locate_data(m)->tokenizer.filename(), "tokenizer.model");
  EXPECT_EQ(locate_data(m)->name, "a");
  m.data.tokenizer = "nope";
  EXPECT_EQ(locate_data(m).error().where, "m.json:/data/tokenizer");
  m.data.dataset = "nope";
  EXPECT_EQ(locate_data(m).error().where, "m.json:/data/dataset");
  m.data.dataset = "clusterops";
  EXPECT_THAT(locate_data(m).error().help, HasSubstr("did you mean \"cluster-ops\"?"));
}

TEST_F(LocateData, WeightsBringTheirTokenizer) {
  Model m = small();
  m.data.dataset = "cluster-ops";
  m.init_from = folder_ + "/weights";
  EXPECT_EQ(locate_data(m)->tokenizer, SXB_SOURCE_DIR "/configs/datasets/cluster-ops/tokenizer.model");
  const std::string of_weights = write("weights/tokenizer.model", "x");
  EXPECT_EQ(locate_data(m)->tokenizer, of_weights);
  m.data.tokenizer = "cluster-ops";
  EXPECT_NE(locate_data(m)->tokenizer, of_weights) << "what is named wins";
}

}  // namespace
}  // namespace sxb::config
