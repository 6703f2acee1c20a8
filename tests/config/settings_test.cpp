#include "config/settings/settings.h"

#include <gmock/gmock.h>

#include "config/testing.h"

namespace sxb::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class MergeSettings : public CleanEnvironment {
 protected:
  static Settings merged(const Flags& flags) {
    auto settings = merge_settings(flags);
    EXPECT_TRUE(settings.ok()) << format_errors(settings.errors());
    return settings.ok() ? std::move(settings).value() : Settings{};
  }
  static std::string origin(const Settings& settings, const std::string& pointer) {
    const auto it = settings.origins.find(pointer);
    if (it == settings.origins.end()) return "none";
    return to_string(it->second.layer) + (it->second.from.empty() ? "" : " " + it->second.from);
  }
};

TEST_F(MergeSettings, StartsFromDefaults) {
  const Settings s = merged({});
  EXPECT_EQ(s.cluster.name, "local");
  EXPECT_EQ(s.models.front().name, "tiny");
  EXPECT_THAT(s.node_counts, ElementsAre(1));
  EXPECT_EQ(s.out, "results");
  EXPECT_EQ(s.metrics_interval_ms, 100);
  EXPECT_EQ(origin(s, "/run/nodes"), "default");
  EXPECT_EQ(origin(s, "/run/out"), "default");
  EXPECT_EQ(origin(s, "/cluster/name"), "default");
  EXPECT_EQ(origin(s, "/models/tiny/training/steps"), "file " SXB_SOURCE_DIR "/configs/models/tiny.json");
  EXPECT_EQ(origin(s, "/models/tiny/training/seed"), "default");
}

TEST_F(MergeSettings, FlagBeatsEnvironmentBeatsFileBeatsDefault) {
  const std::string steps = "/models/tiny/training/steps";
  EXPECT_EQ(merged({}).models[0].training.steps, 30);
  set("SXBENCH_STEPS", "12");
  Settings s = merged({});
  EXPECT_EQ(s.models[0].training.steps, 12);
  EXPECT_EQ(origin(s, steps), "environment SXBENCH_STEPS");
  Flags flags;
  flags.steps = 14;
  s = merged(flags);
  EXPECT_EQ(s.models[0].training.steps, 14);
  EXPECT_EQ(origin(s, steps), "flag --steps");
  flags.set = {"model.training.steps=16"};
  s = merged(flags);
  EXPECT_EQ(s.models[0].training.steps, 16);
  EXPECT_EQ(origin(s, steps), "flag --set");
}

TEST_F(MergeSettings, ReadsEveryVariable) {
  set("SXBENCH_CLUSTER", "local-8");
  set("SXBENCH_MODELS", "tiny,7b");
  set("SXBENCH_NODES", "1,2");
  set("SXBENCH_OUT", "elsewhere");
  set("SXBENCH_MICRO_BATCH", "2");
  set("SXBENCH_METRICS_INTERVAL_MS", "500");
  Settings s = merged({});
  EXPECT_EQ(s.cluster.name, "local-8");
  ASSERT_EQ(s.models.size(), 2u);
  EXPECT_EQ(s.models[1].training.micro_batch, 2);
  EXPECT_THAT(s.node_counts, ElementsAre(1, 2));
  EXPECT_EQ(s.out, "elsewhere");
  EXPECT_EQ(s.metrics_interval_ms, 500);
  EXPECT_EQ(origin(s, "/run/nodes"), "environment SXBENCH_NODES");
  EXPECT_EQ(origin(s, "/run/metrics_interval_ms"), "environment SXBENCH_METRICS_INTERVAL_MS");
  Flags flags{"local", "13b", "1", "here", 40, 3, 1, 20, {}, "", "", "", {}, {}, "", ""};
  s = merged(flags);
  EXPECT_EQ(s.cluster.name, "local");
  EXPECT_EQ(s.models.at(0).name, "13b");
  EXPECT_THAT(s.node_counts, ElementsAre(1));
  EXPECT_EQ(s.out, "here");
  EXPECT_EQ(s.metrics_interval_ms, 20);
  EXPECT_EQ(s.models[0].training.warmup, 3);
  EXPECT_EQ(s.models[0].training.micro_batch, 1);
}

TEST_F(MergeSettings, GivesEveryLeafAnOrigin) {
  Flags flags;
  flags.cluster = "h200x4-as-4-nodes";
  flags.models = "7b,70b";
  const Settings s = merged(flags);
  for (const std::string& leaf : leaf_pointers(to_json(s))) EXPECT_EQ(s.origins.count(leaf), 1u) << leaf;
  const std::string file = "file " SXB_SOURCE_DIR "/configs/clusters/h200x4-as-4-nodes.json";
  EXPECT_EQ(origin(s, "/cluster/nodes/3/gpus"), file);
  EXPECT_EQ(origin(s, "/cluster/gpu/name"), file);
  EXPECT_EQ(origin(s, "/cluster/paths/results"), "default");
  EXPECT_EQ(origin(s, "/cluster/nccl_env/NCCL_NVLS_ENABLE"),
            "file " SXB_SOURCE_DIR "/configs/nccl/single-host.json");
}

TEST_F(MergeSettings, KnowsWhereNodeSetsAndOutComeFrom) {
  Flags flags;
  flags.cluster = write("c.json", R"({"name": "c", "nodes": "n[1-2]", "paths": {"results": "/r"}})");
  const Settings s = merged(flags);
  EXPECT_EQ(s.out, "/r");
  EXPECT_EQ(origin(s, "/run/out"), "file " + flags.cluster);
  EXPECT_EQ(origin(s, "/cluster/nodes/1/name"), "file " + flags.cluster);
  EXPECT_THAT(s.node_counts, ElementsAre(2));
}

TEST_F(MergeSettings, ErrorsCiteWhatTheUserWrote) {
  Flags flags;
  flags.steps = 0;
  flags.set = {"optimizer.lr=2"};
  EXPECT_THAT(places(merge_settings(flags).errors()),
              ElementsAre("model tiny with --steps 0 --set optimizer.lr=2:/training/steps"));
  set("SXBENCH_STEPS", "many");
  EXPECT_THAT(places(merge_settings({}).errors()),
              ElementsAre("model tiny with SXBENCH_STEPS=many:/training/steps"));
}

TEST_F(MergeSettings, ReportsTheErrorsOfAllLayersAtOnce) {
  Flags flags;
  flags.cluster = "lokal";
  flags.models = "7c,tiny";
  flags.nodes = "two";
  set("SXBENCH_METRICS_INTERVAL_MS", "fast");
  set("SXBENCH_STEPS", "many");
  const auto settings = merge_settings(flags);
  ASSERT_FALSE(settings.ok());
  EXPECT_THAT(places(settings.errors()), ElementsAre("--cluster", "--models", HasSubstr("/training/steps"),
                                                     "--nodes", "$SXBENCH_METRICS_INTERVAL_MS"));
}

TEST_F(MergeSettings, FlagsOfTheClusterWinOverItsFile) {
  Flags flags;
  flags.hostfile = write("hosts", "n1 slots=2\nn2 slots=2\n");
  flags.device = "cpu";
  flags.fanout = 3;
  flags.connect_timeout_s = 4;
  const Settings s = merged(flags);
  EXPECT_EQ(s.cluster.nodes.size(), 2u);
  EXPECT_EQ(s.cluster.device, DeviceKind::kCpu);
  EXPECT_EQ(s.cluster.fanout, 3);
  EXPECT_EQ(s.cluster.timeouts.connect_s, 4);
  EXPECT_EQ(origin(s, "/cluster/fanout"), "flag --fanout");
  EXPECT_EQ(origin(s, "/cluster/transport"), "flag --hostfile");
  EXPECT_EQ(origin(s, "/cluster/nodes/1/slots"), "file " + flags.hostfile);
  flags.transport = "psdh";
  flags.fanout = 0;
  const auto wrong = merge_settings(flags);
  ASSERT_EQ(wrong.errors().size(), 2u);
  EXPECT_THAT(wrong.errors()[0].help, HasSubstr("did you mean \"pdsh\"?"));
  EXPECT_EQ(wrong.errors()[1].where, "--fanout");
  flags.cluster = "local";
  EXPECT_THAT(merge_settings(flags).error().help, HasSubstr("one of them"));
}

}  // namespace
}  // namespace sxb::config
