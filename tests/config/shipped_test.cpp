// The shipped configs load, say what the guide asks for, and agree with their JSON Schemas.
#include <gmock/gmock.h>

#include <fstream>
#include <functional>
#include <set>

#include "base/text.h"
#include "config/cluster/cluster.h"
#include "config/hardware/hardware.h"
#include "config/model/model.h"
#include "config/testing.h"

namespace sxb::config {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

using Shipped = CleanEnvironment;

std::vector<fs::path> files_in(const char* folder) {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(fs::path(SXB_SOURCE_DIR "/configs") / folder)) {
    paths.push_back(entry.path());
  }
  return paths;
}

TEST_F(Shipped, EveryClusterLoads) {
  EXPECT_THAT(shipped_clusters(), ElementsAre("h200x4-as-1-node", "h200x4-as-2-nodes", "h200x4-as-4-nodes",
                                              "local", "local-8", "spectrumx-h200-8x8"));
  for (const std::string& name : shipped_clusters()) {
    const auto cluster = resolve_cluster(name);
    ASSERT_TRUE(cluster.ok()) << format_errors(cluster.errors());
    EXPECT_EQ(cluster->name, name);
    EXPECT_FALSE(cluster->description.empty());
  }
}

TEST_F(Shipped, EveryModelLoadsAndFindsItsData) {
  EXPECT_THAT(shipped_models(), ElementsAre("13b", "70b", "7b", "tiny"));
  for (const std::string& name : shipped_models()) {
    const auto model = resolve_model(name);
    ASSERT_TRUE(model.ok()) << format_errors(model.errors());
    EXPECT_EQ(model->name, name);
    EXPECT_FALSE(model->description.empty());
    EXPECT_TRUE(locate_data(*model).ok());
  }
}

TEST_F(Shipped, ModelsHaveTheirPublishedSizes) {
  EXPECT_EQ(resolve_model("7b")->arch.parameters(), 6738415616);
  EXPECT_EQ(resolve_model("13b")->arch.parameters(), 13015864320);
  EXPECT_EQ(resolve_model("70b")->arch.parameters(), 68976648192);
  EXPECT_EQ(resolve_model("7b")->arch.matmul_parameters(), 6607077376);
}

TEST_F(Shipped, H200FilesSplitOneMachine) {
  for (const auto& [name, nodes] : {std::pair("h200x4-as-1-node", 1u), std::pair("h200x4-as-2-nodes", 2u),
                                    std::pair("h200x4-as-4-nodes", 4u)}) {
    const auto cluster = resolve_cluster(name);
    ASSERT_EQ(cluster->nodes.size(), nodes);
    std::set<int> gpus;
    for (const Node& node : cluster->nodes) {
      EXPECT_EQ(node.gpus.size(), 4 / nodes);
      gpus.insert(node.gpus.begin(), node.gpus.end());
    }
    EXPECT_THAT(gpus, ElementsAre(0, 1, 2, 3));
    EXPECT_EQ(cluster->nccl_env.at("NCCL_NVLS_ENABLE"), "0");
  }
}

TEST_F(Shipped, SpectrumXHasTheGuidesGoalsAndExactNicNames) {
  const auto cluster = resolve_cluster("spectrumx-h200-8x8");
  EXPECT_EQ(cluster->nodes.size(), 8u);
  EXPECT_EQ(cluster->network.line_rate_gbps(), 3200);
  EXPECT_EQ(cluster->goals.gpu_utilization_pct, 90);
  EXPECT_EQ(cluster->goals.bandwidth_pct_of_line, 92);
  EXPECT_EQ(cluster->goals.scaling_efficiency_pct.at(4), 95);
  EXPECT_EQ(cluster->goals.scaling_efficiency_pct.at(8), 93);
  EXPECT_THAT(cluster->nccl_env.at("NCCL_IB_HCA"), StartsWith("="));
  EXPECT_EQ(cluster->nccl_env.at("NCCL_IB_ADAPTIVE_ROUTING"), "1");
}

TEST_F(Shipped, EveryNcclProfileLoads) {
  for (const fs::path& path : files_in("nccl")) {
    const auto profile = load_nccl_profile(path.stem().string());
    ASSERT_TRUE(profile.ok()) << format_errors(profile.errors());
    EXPECT_FALSE(profile->empty());
  }
}

TEST_F(Shipped, HardwareTableKnowsTheH200) {
  const auto gpu = find_gpu("NVIDIA H200");
  ASSERT_TRUE(gpu.ok()) << format_errors(gpu.errors());
  ASSERT_TRUE(gpu->has_value());
  EXPECT_EQ((*gpu)->bf16_dense_tflops, 989.4);
  EXPECT_EQ((*gpu)->memory_bandwidth_gBps, 4800);
  EXPECT_EQ((*gpu)->nvlink_gBps, 450);
  EXPECT_EQ((*gpu)->power_limit_w, 700);
  EXPECT_EQ((*gpu)->peak_tflops("fp8"), 1978.9);
  EXPECT_EQ((*gpu)->peak_tflops("tf32"), 494.7);
  EXPECT_EQ((*gpu)->peak_tflops("int4"), 0);
  EXPECT_EQ((*gpu)->sources.size(), 13u);  // one per figure
  for (const auto& [figure, source] : (*gpu)->sources) EXPECT_FALSE(source.empty()) << figure;
  EXPECT_FALSE(find_gpu("NVIDIA H200 NVL")->has_value());  // another card: no guess
  EXPECT_FALSE(find_gpu("")->has_value());
}

TEST_F(Shipped, ABrokenHardwareTableIsReported) {
  set("SXBENCH_CONFIGS", folder_);
  write("hardware/gpus.json",
        R"({"sources": {}, "gpus": [{"name": "X", "bf16_dense_tflops": {"value": -1}}]})");
  const auto gpu = find_gpu("X");
  ASSERT_FALSE(gpu.ok());
  EXPECT_THAT(gpu.error().where, HasSubstr("/gpus/0/bf16_dense_tflops/value"));
}

TEST_F(Shipped, YourOwnGpuTableWinsOverTheShippedOne) {
  set("XDG_CONFIG_HOME", folder_);
  write("sxbench/hardware/gpus.json", R"({"sources": {"mine": "measured"}, "gpus": [{"name": "My GPU",
    "bf16_dense_tflops": {"value": 100, "source": "mine"}, "memory_gib": {"value": 10, "source": "mine"},
    "memory_bandwidth_gBps": {"value": 1000, "source": "mine"}, "power_limit_w": {"value": 300, "source": "mine"}}]})");
  const auto own = find_gpu("My GPU");
  ASSERT_TRUE(own.ok()) << format_errors(own.errors());
  EXPECT_EQ((*own)->bf16_dense_tflops, 100);
  EXPECT_EQ((*own)->sources.at("bf16_dense_tflops"), "measured");
  EXPECT_TRUE(find_gpu("NVIDIA H200")->has_value());
}

TEST_F(Shipped, AFigureWithoutItsSourceIsAnError) {
  const Json json = json_of(R"({"sources": {"mine": "measured"}, "gpus": [{"name": "G",
    "bf16_dense_tflops": {"value": 100, "source": "mime"}, "memory_gib": {"value": 10}}]})");
  const Errors errors = parse_gpus(json, "f").errors();
  EXPECT_THAT(error_at(errors, "f:/gpus/0/bf16_dense_tflops/source").help, HasSubstr("mine"));
  EXPECT_FALSE(error_at(errors, "f:/gpus/0/memory_gib/source").what.empty());
}

TEST_F(Shipped, InterconnectsHaveASourceOfAKnownKindForEveryFigure) {
  const auto facts = load_interconnects();
  ASSERT_TRUE(facts.ok()) << format_errors(facts.errors());
  EXPECT_EQ(facts->sources.size(), 6u + 4u + 5u + 9u);
  for (const auto& [figure, source] : facts->sources) {
    EXPECT_TRUE(source.starts_with("published: ") || source.starts_with("derived: ") ||
                source.starts_with("measured: "))
        << figure << ": " << source;
  }
  EXPECT_NEAR(facts->pcie_gBps(5, 16), 63.0, 0.1);
  EXPECT_EQ(facts->pcie_gBps(2, 16), 0);
  ASSERT_NE(facts->network("spectrum-x"), nullptr);
  EXPECT_EQ(facts->network("carrier-pigeon"), nullptr);
  EXPECT_EQ(find_share(facts->node.collectives, "alltoallv"), nullptr);
}

// ---- Schemas -------------------------------------------------------------------------------------

/// Object schemas with their places in a document; `$ref` followed, "-" for any array index.
void walk(const Json& root, const Json& schema, const std::string& pointer,
          const std::function<void(const std::string&, const Json&)>& visit) {
  if (schema.contains("$ref")) {
    const std::string target = schema["$ref"].get<std::string>().substr(1);
    return walk(root, root.at(Json::json_pointer(target)), pointer, visit);
  }
  if (schema.contains("oneOf")) {
    for (const Json& option : schema["oneOf"]) walk(root, option, pointer, visit);
  }
  if (schema.contains("items")) walk(root, schema["items"], pointer + "/0", visit);
  if (!schema.contains("properties")) return;
  visit(pointer, schema);
  for (const auto& item : schema["properties"].items())
    walk(root, item.value(), pointer + "/" + item.key(), visit);
}

/// The keys the parser knows for the object at `pointer`, from what it says about a key it does not.
template <typename Parse>
std::set<std::string> known_keys(Json document, const std::string& pointer, const Parse& parse) {
  const std::string stranger = "#################################";  // near to no key
  document[Json::json_pointer(pointer)][stranger] = 1;
  const auto result = parse(document, "doc");
  const std::string help = error_at(result.errors(), "doc:" + pointer + "/" + stranger).help;
  EXPECT_THAT(help, StartsWith("known: "));
  std::set<std::string> keys;
  for (const std::string& key : split(help.substr(7), ',')) keys.emplace(trim(key));
  return keys;
}

template <typename Parse>
void expect_agreement(const char* file, const Json& document, std::size_t objects, const Parse& parse) {
  const auto schema = load_json(std::string(SXB_SOURCE_DIR "/configs/schema/") + file);
  ASSERT_TRUE(schema.ok()) << format_errors(schema.errors());
  std::size_t seen = 0;
  walk(*schema, *schema, "", [&](const std::string& pointer, const Json& object) {
    ++seen;
    EXPECT_EQ(object.value("additionalProperties", true), false) << pointer;
    std::set<std::string> keys;
    for (const auto& item : object["properties"].items()) {
      keys.insert(item.key());
      const bool described = item.value().contains("description") || item.value().contains("properties");
      EXPECT_TRUE(described) << pointer << "/" << item.key();
    }
    EXPECT_EQ(keys, known_keys(document, pointer, parse)) << pointer;
  });
  EXPECT_EQ(seen, objects);
}

TEST(Schema, ClusterAgreesWithTheParser) {
  const Json document = json_of(R"({"name": "c", "nodes": [{"name": "n"}],
    "network": {"nics": [{"name": "a", "line_rate_gbps": 1}]}, "gpu": {}, "goals": {}, "paths": {}, "rendezvous": {}})");
  expect_agreement("cluster.schema.json", document, 11, parse_cluster);
}

TEST(Schema, ModelAgreesWithTheParser) {
  const Json document = json_of(
      R"({"name": "m", "arch": {}, "training": {"comm": {}, "checkpoint": {}}, "optimizer": {"schedule": {}}, "data": {}})");
  expect_agreement("model.schema.json", document, 8, parse_model);
}

TEST(Schema, HardwareAgreesWithTheParser) {
  const Json gpus = *load_json(SXB_SOURCE_DIR "/configs/hardware/gpus.json");
  expect_agreement("gpus.schema.json", gpus, 2 + 13, parse_gpus);
  const Json paths = *load_json(SXB_SOURCE_DIR "/configs/hardware/interconnects.json");
  expect_agreement("interconnects.schema.json", paths, 8 + 20, parse_interconnects);
}

/// Every enum value of the schema is one the parser takes, and every number the schema's bounds allow.
TEST(Schema, ValuesAtTheBoundsParse) {
  const auto schema = load_json(SXB_SOURCE_DIR "/configs/schema/model.schema.json");
  ASSERT_TRUE(schema.ok());
  const Json base =
      json_of(R"({"name": "m", "arch": {"hidden": 64, "ffn": 8, "layers": 1, "heads": 1, "vocab": 9},
    "training": {"seq_len": 8, "steps": 1000000000}, "optimizer": {"schedule": {"step_every": 1}},
    "data": {"dataset": "synthetic"}})");
  int checked = 0;
  walk(*schema, *schema, "", [&](const std::string& pointer, const Json& object) {
    for (const auto& item : object["properties"].items()) {
      const std::string place = pointer + "/" + item.key();
      const auto try_value = [&](const Json& value, bool good) {
        Json document = base;
        document[Json::json_pointer(place)] = value;
        const Errors errors = parse_model(document, "d").errors();
        const bool reported = std::any_of(errors.begin(), errors.end(), [&](const Error& error) {
          return error.where == "d:" + place && (error.what.find("out of range") != std::string::npos ||
                                                 error.what.find("unknown value") != std::string::npos);
        });
        EXPECT_EQ(reported, !good) << place << " = " << value;
        ++checked;
      };
      const Json& property = item.value();
      if (property.contains("enum")) {
        for (const Json& value : property["enum"]) try_value(value, true);
        try_value("no-such-value", false);
      }
      for (const auto& [bound, step] : {std::pair("minimum", -1.0), std::pair("maximum", 1.0)}) {
        if (!property.contains(bound) || item.key() == "seed") continue;
        try_value(property[bound], true);
        const bool whole = property["type"] == "integer";
        if (whole) try_value(property[bound].get<std::int64_t>() + static_cast<std::int64_t>(step), false);
        if (!whole) try_value(property[bound].get<double>() + step, false);
      }
    }
  });
  EXPECT_GT(checked, 80);
}

}  // namespace
}  // namespace sxb::config
