#include "config/settings/settings.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>
#include <thread>

#include "base/files.h"
#include "config/testing.h"

namespace sxb::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ResolveSettings : public CleanEnvironment {
 protected:
  static Resolved merged(const CommandLine& flags) {
    auto settings = resolve_settings(flags);
    EXPECT_TRUE(settings.ok()) << format_errors(settings.errors());
    return settings.ok() ? std::move(settings).value() : Resolved{};
  }
  static std::string origin(const Resolved& settings, const std::string& pointer) {
    const auto it = settings.origins.find(pointer);
    if (it == settings.origins.end()) return "none";
    return to_string(it->second.layer) + (it->second.from.empty() ? "" : " " + it->second.from);
  }
};

TEST_F(ResolveSettings, StartsFromDefaults) {
  const Resolved s = merged({});
  EXPECT_EQ(s.cluster.name, "local");
  EXPECT_EQ(s.models.front().name, "tiny");
  EXPECT_THAT(s.run.node_counts, ElementsAre(1));
  EXPECT_EQ(s.run.out, "results");
  EXPECT_EQ(s.run.metrics_interval_ms, 100);
  EXPECT_EQ(origin(s, "/run/nodes"), "default");
  EXPECT_EQ(origin(s, "/run/out"), "default");
  EXPECT_EQ(origin(s, "/cluster/name"), "default");
  EXPECT_EQ(origin(s, "/models/tiny/training/steps"), "file " SXB_SOURCE_DIR "/configs/models/tiny.json");
  EXPECT_EQ(origin(s, "/models/tiny/training/seed"), "default");
}

TEST_F(ResolveSettings, FlagBeatsEnvironmentBeatsFileBeatsDefault) {
  const std::string steps = "/models/tiny/training/steps";
  EXPECT_EQ(merged({}).models[0].training.steps, 30);
  set("SXBENCH_STEPS", "12");
  Resolved s = merged({});
  EXPECT_EQ(s.models[0].training.steps, 12);
  EXPECT_EQ(origin(s, steps), "environment SXBENCH_STEPS");
  CommandLine flags;
  flags.keys["--steps"] = "14";
  s = merged(flags);
  EXPECT_EQ(s.models[0].training.steps, 14);
  EXPECT_EQ(origin(s, steps), "flag --steps");
  flags.set = {"model.training.steps=16"};
  s = merged(flags);
  EXPECT_EQ(s.models[0].training.steps, 16);
  EXPECT_EQ(origin(s, steps), "flag --set");
}

TEST_F(ResolveSettings, ReadsEveryVariable) {
  set("SXBENCH_CLUSTER", "local-8");
  set("SXBENCH_MODELS", "tiny,7b");
  set("SXBENCH_NODES", "1,2");
  set("SXBENCH_OUT", "elsewhere");
  set("SXBENCH_MICRO_BATCH", "2");
  set("SXBENCH_METRICS_INTERVAL_MS", "500");
  Resolved s = merged({});
  EXPECT_EQ(s.cluster.name, "local-8");
  ASSERT_EQ(s.models.size(), 2u);
  EXPECT_EQ(s.models[1].training.micro_batch, 2);
  EXPECT_THAT(s.run.node_counts, ElementsAre(1, 2));
  EXPECT_EQ(s.run.out, "elsewhere");
  EXPECT_EQ(s.run.metrics_interval_ms, 500);
  EXPECT_EQ(origin(s, "/run/nodes"), "environment SXBENCH_NODES");
  EXPECT_EQ(origin(s, "/run/metrics_interval_ms"), "environment SXBENCH_METRICS_INTERVAL_MS");
  CommandLine flags;
  flags.cluster = "local";
  flags.models = "13b";
  flags.keys = {{"--nodes", "1"},  {"--out", "here"},      {"--steps", "40"},
                {"--warmup", "3"}, {"--micro-batch", "1"}, {"--metrics-interval-ms", "20"}};
  s = merged(flags);
  EXPECT_EQ(s.cluster.name, "local");
  EXPECT_EQ(s.models.at(0).name, "13b");
  EXPECT_THAT(s.run.node_counts, ElementsAre(1));
  EXPECT_EQ(s.run.out, "here");
  EXPECT_EQ(s.run.metrics_interval_ms, 20);
  EXPECT_EQ(s.models[0].training.warmup, 3);
  EXPECT_EQ(s.models[0].training.micro_batch, 1);
}

TEST_F(ResolveSettings, GivesEveryLeafAnOrigin) {
  CommandLine flags;
  flags.cluster = "h200x4-as-4-nodes";
  flags.models = "7b,70b";
  const Resolved s = merged(flags);
  for (const std::string& leaf : leaf_pointers(to_json(s))) EXPECT_EQ(s.origins.count(leaf), 1u) << leaf;
  const std::string file = "file " SXB_SOURCE_DIR "/configs/clusters/h200x4-as-4-nodes.json";
  EXPECT_EQ(origin(s, "/cluster/nodes/3/gpus"), file);
  EXPECT_EQ(origin(s, "/cluster/gpu/name"), file);
  EXPECT_EQ(origin(s, "/cluster/paths/results"), "default");
  EXPECT_EQ(origin(s, "/cluster/nccl_env/NCCL_NVLS_ENABLE"),
            "file " SXB_SOURCE_DIR "/configs/nccl/single-host.json");
}

TEST_F(ResolveSettings, KnowsWhereNodeSetsAndOutComeFrom) {
  CommandLine flags;
  flags.cluster = write("c.json", R"({"name": "c", "nodes": "n[1-2]", "paths": {"results": "/r"}})");
  const Resolved s = merged(flags);
  EXPECT_EQ(s.run.out, "/r");
  EXPECT_EQ(origin(s, "/run/out"), "file " + flags.cluster);
  EXPECT_EQ(origin(s, "/cluster/nodes/1/name"), "file " + flags.cluster);
  EXPECT_THAT(s.run.node_counts, ElementsAre(2));
}

TEST_F(ResolveSettings, ErrorsCiteWhatTheUserWrote) {
  CommandLine flags;
  flags.keys["--steps"] = "0";
  flags.set = {"optimizer.lr=2"};
  EXPECT_THAT(places(resolve_settings(flags).errors()),
              ElementsAre("model tiny with --steps 0 --set optimizer.lr=2:/training/steps"));
  set("SXBENCH_STEPS", "many");
  EXPECT_THAT(places(resolve_settings(CommandLine{}).errors()),
              ElementsAre("model tiny with SXBENCH_STEPS=many:/training/steps"));
}

TEST_F(ResolveSettings, ReportsTheErrorsOfAllLayersAtOnce) {
  CommandLine flags;
  flags.cluster = "lokal";
  flags.models = "7c,tiny";
  flags.keys["--nodes"] = "two";
  set("SXBENCH_METRICS_INTERVAL_MS", "fast");
  set("SXBENCH_STEPS", "many");
  const auto settings = resolve_settings(flags);
  ASSERT_FALSE(settings.ok());
  EXPECT_THAT(places(settings.errors()), ElementsAre("--cluster", "--models", HasSubstr("/training/steps"),
                                                     "--nodes", "$SXBENCH_METRICS_INTERVAL_MS"));
}

TEST_F(ResolveSettings, FlagsOfTheClusterWinOverItsFile) {
  CommandLine flags;
  flags.hostfile = write("hosts", "n1 slots=2\nn2 slots=2\n");
  flags.keys["--device"] = "cpu";
  flags.keys["--fanout"] = "3";
  flags.keys["--connect-timeout"] = "4";
  const Resolved s = merged(flags);
  EXPECT_EQ(s.cluster.nodes.size(), 2u);
  EXPECT_EQ(s.cluster.device, DeviceKind::kCpu);
  EXPECT_EQ(s.cluster.fanout, 3);
  EXPECT_EQ(s.cluster.timeouts.connect_s, 4);
  EXPECT_EQ(origin(s, "/cluster/fanout"), "flag --fanout");
  EXPECT_EQ(origin(s, "/cluster/transport"), "flag --hostfile");
  EXPECT_EQ(origin(s, "/cluster/nodes/1/slots"), "file " + flags.hostfile);
  flags.keys["--transport"] = "psdh";
  flags.keys["--fanout"] = "0";
  const auto wrong = resolve_settings(flags);
  ASSERT_EQ(wrong.errors().size(), 2u);
  EXPECT_THAT(wrong.errors()[0].help, HasSubstr("did you mean \"pdsh\"?"));
  EXPECT_EQ(wrong.errors()[1].where, "--fanout");
  flags.cluster = "local";
  EXPECT_THAT(resolve_settings(flags).error().help, HasSubstr("one of them"));
}

/// A named pipe that gives `text` to one reader, once: a second reading of it finds nothing.
class OneReading {
 public:
  OneReading(std::string path, std::string text) : path_(std::move(path)) {
    if (::mkfifo(path_.c_str(), 0600) != 0) ADD_FAILURE() << "mkfifo " << path_;
    writer_ = std::thread([path = path_, text = std::move(text)] { std::ofstream(path) << text; });
  }
  ~OneReading() { writer_.join(); }
  OneReading(const OneReading&) = delete;
  OneReading& operator=(const OneReading&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  std::thread writer_;
};

TEST_F(ResolveSettings, ReadsEachFileOnce) {
  const auto shipped = read_file(SXB_SOURCE_DIR "/configs/models/tiny.json");
  ASSERT_TRUE(shipped.ok());
  CommandLine flags;
  {
    const OneReading cluster(folder_ + "/cluster-pipe.json",
                             R"({"name": "c", "nodes": "n[1-2]", "gpu": {"name": "G"}})");
    const OneReading model(folder_ + "/model-pipe.json", *shipped);
    flags.cluster = cluster.path();
    flags.models = model.path();
    const Resolved s = merged(flags);
    EXPECT_EQ(s.cluster.nodes.size(), 2u);
    EXPECT_EQ(s.models.at(0).training.steps, 30);
    EXPECT_EQ(origin(s, "/cluster/gpu/name"), "file " + flags.cluster);
    EXPECT_EQ(origin(s, "/cluster/fanout"), "default");
    EXPECT_EQ(origin(s, "/models/tiny/training/steps"), "file " + flags.models);
    EXPECT_EQ(origin(s, "/models/tiny/training/trace"), "default");
  }
  const OneReading hosts(folder_ + "/hosts-pipe", "n1 slots=2\nn2 slots=2\n");
  flags = {};
  flags.hostfile = hosts.path();
  const Resolved s = merged(flags);
  EXPECT_EQ(s.cluster.nodes.size(), 2u);
  EXPECT_EQ(origin(s, "/cluster/nodes/0/slots"), "file " + flags.hostfile);
}

TEST_F(ResolveSettings, AnyFlagAndVariableOfATableCounts) {
  for (const Document document : {Document::kCluster, Document::kModel, Document::kRun}) {
    for (const RowInfo& row : rows_with_flags(document)) {
      if (row.extra.flag == nullptr) continue;
      CommandLine flags;
      const bool choice = row.schema.contains("enum");
      flags.keys[row.extra.flag] = choice ? row.schema["enum"].back().get<std::string>() : "20";
      const char* prefix = document == Document::kCluster ? "/cluster"
                           : document == Document::kModel ? "/models/tiny"
                                                          : "/run";
      EXPECT_EQ(origin(merged(flags), prefix + row.pointer()), std::string("flag ") + row.extra.flag);
    }
  }
}

TEST_F(ResolveSettings, WhatNodesAreToldIsUtf8) {
  CommandLine flags;
  flags.set = {"data.dataset=caf\xe9.json", "training.steps=30"};
  flags.keys["--transport"] = "l\xf6kal";
  flags.keys["--steps"] = "\xff";
  flags.keys["--out"] = "r\xe9sultats";
  set("SXBENCH_MICRO_BATCH", "\x80");
  const auto settings = resolve_settings(flags);
  EXPECT_THAT(places(settings.errors()),
              testing::UnorderedElementsAre("--set", "--transport", "--steps", "$SXBENCH_MICRO_BATCH"));
  for (const Error& error : settings.errors()) EXPECT_THAT(error.what, HasSubstr("is not UTF-8"));
}

TEST_F(ResolveSettings, SecretsAreNotShown) {
  CommandLine flags;
  flags.cluster = write("c.json", R"({"name": "c", "nodes": "n1", "env": {"HF_TOKEN": "s3cret"}})");
  const Resolved s = merged(flags);
  EXPECT_EQ(to_json(s)["cluster"]["env"]["HF_TOKEN"], "<redacted>");
  EXPECT_EQ(origin(s, "/cluster/env/HF_TOKEN"), "file " + flags.cluster);
  EXPECT_EQ(s.cluster.env.at("HF_TOKEN"), "s3cret");
}

}  // namespace
}  // namespace sxb::config
