#include "plan/task.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>

namespace sxb::plan {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

config::Model model(const std::string& name) {
  config::Model m;
  m.name = name;
  m.arch = {64, 176, 2, 4, 2, 1024, 10000, 1e-5};
  m.training.seq_len = 256;
  m.training.steps = 30;
  m.training.warmup = 5;
  m.data.dataset = "cluster-ops";
  return m;
}

PlanInput input() {
  PlanInput in;
  in.cluster.name = "c";
  for (const char* name : {"n1", "n2", "n3"}) {
    config::Node node;
    node.name = node.host = name;
    in.cluster.nodes.push_back(node);
  }
  in.models = {model("a"), model("b")};
  in.node_counts = {1, 2};
  in.phases = {Phase::kCheck, Phase::kNccl, Phase::kSft, Phase::kReport};
  return in;
}

std::vector<std::string> labels(const std::vector<Task>& tasks) {
  std::vector<std::string> out;
  for (const Task& task : tasks) out.push_back(task.label() + " #" + std::to_string(task.repeat));
  return out;
}

std::vector<std::string> ids(const PlanInput& in) {
  std::vector<std::string> out;
  for (const Task& task : expand(in)) out.push_back(task.id);
  return out;
}

TEST(ParsePhases, PutsThemInTheOrderTheyRunIn) {
  EXPECT_THAT(*parse_phases("sft, nccl,sft"), ElementsAre(Phase::kNccl, Phase::kSft));
  EXPECT_THAT(*parse_phases("full"), ElementsAre(Phase::kCheck, Phase::kNccl, Phase::kSft, Phase::kReport));
  EXPECT_EQ(parse_phases("ncl").error().help, "did you mean \"nccl\"?");
  EXPECT_EQ(parse_phases("").error().where, "--phases");
}

TEST(Expand, ChecksOnceThenSweepsThenTrains) {
  PlanInput in = input();
  in.repeats = 2;
  EXPECT_THAT(
      labels(expand(in)),
      ElementsAre("check on 2 nodes #0", "nccl all_reduce on 1 node #0", "nccl all_reduce on 1 node #1",
                  "nccl all_reduce on 2 nodes #0", "nccl all_reduce on 2 nodes #1", "sft a on 1 node #0",
                  "sft a on 1 node #1", "sft a on 2 nodes #0", "sft a on 2 nodes #1", "sft b on 1 node #0",
                  "sft b on 1 node #1", "sft b on 2 nodes #0", "sft b on 2 nodes #1"));
  in.phases = {Phase::kReport};
  EXPECT_TRUE(expand(in).empty());
}

// A changed id makes old runs incomparable with new ones: change these only with intent.
TEST(TaskId, StaysTheSame) {
  EXPECT_THAT(ids(input()), ElementsAre("4b576fe5ea35", "7ea16c4bc0cf", "2d740f32f00e", "b2a7d7820b0e",
                                        "45b0c699e24f", "94cc0831f140", "53fa0103af12"));
}

TEST(TaskId, IsUnique) {
  PlanInput in = input();
  in.repeats = 3;
  const auto all = ids(in);
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), all.size());
}

TEST(TaskId, ChangesWithWhatMatters) {
  const std::function<void(PlanInput&)> changes[] = {
      [](PlanInput& in) { in.models[0].training.micro_batch = 2; },
      [](PlanInput& in) { in.models[0].optimizer.lr = 1; },
      [](PlanInput& in) { in.models[0].arch.layers = 3; },
      [](PlanInput& in) { in.cluster.nodes[0].name = "m1"; },
      [](PlanInput& in) { in.cluster.nodes[0].gpus = {0}; },
      [](PlanInput& in) { in.cluster.nodes[0].slots = 2; },
      [](PlanInput& in) { in.cluster.nccl_env["NCCL_ALGO"] = "Ring"; },
      [](PlanInput& in) { in.cluster.env["A"] = "1"; },
      [](PlanInput& in) { in.cluster.device = config::DeviceKind::kCpu; }};
  PlanInput base = input();
  base.phases = {Phase::kSft};
  for (const auto& change : changes) {
    PlanInput changed = base;
    change(changed);
    EXPECT_NE(ids(changed)[0], ids(base)[0]) << &change - changes;
  }
  base.phases = {Phase::kNccl};
  PlanInput changed = base;
  changed.sweeps[0].max_bytes = 1024;
  EXPECT_NE(ids(changed)[0], ids(base)[0]);
}

TEST(TaskId, IgnoresWhatDoesNotMatter) {
  PlanInput changed = input();
  changed.models[0].description = "better words";
  changed.models[0].source = "elsewhere";
  changed.models[0].training.checkpoint.every_minutes = 5;
  changed.models[0].training.checkpoint.folder = "/shared";
  changed.cluster.description = "too";
  changed.cluster.source = "elsewhere";
  changed.cluster.nodes[0].host = "10.0.0.1";
  changed.cluster.nodes[0].ssh_port = 44222;
  changed.cluster.nodes[2].gpus = {5};  // no task reaches the third node
  changed.cluster.paths.results = "x";
  EXPECT_EQ(ids(changed), ids(input()));
}

TEST(TaskJson, RoundTrips) {
  PlanInput in = input();
  CollectiveSweep& sweep = in.sweeps[0];
  sweep.min_bytes = 16;
  sweep.step_factor = 0;
  sweep.step_bytes = 64;
  sweep.dtype = "double";
  sweep.redop = "max";
  for (const Task& task : expand(in)) {
    const auto again = parse_task(to_json(task), "plan.json");
    ASSERT_TRUE(again.ok()) << format_errors(again.errors());
    EXPECT_EQ(to_json(*again), to_json(task));
  }
}

TEST(Expand, SweepsEachCollectiveOnEachNodeCount) {
  PlanInput in = input();
  in.phases = {Phase::kNccl};
  in.sweeps.resize(2);
  in.sweeps[1].collective = "all_gather";
  in.sweeps[1].split = "rails";
  EXPECT_THAT(labels(expand(in)),
              ElementsAre("nccl all_reduce on 1 node #0", "nccl all_reduce on 2 nodes #0",
                          "nccl all_gather (rails) on 1 node #0", "nccl all_gather (rails) on 2 nodes #0"));
}

TEST(TaskJson, ReportsErrorsAtTheirPlace) {
  const Json json = {
      {"id", "x"}, {"phase", "nccl"}, {"nodes", 0}, {"sweep", {{"iterations", "20"}, {"dtyp", 1}}}};
  const auto task = parse_task(json, "plan.json");
  std::vector<std::string> where;
  for (const Error& error : task.errors()) where.push_back(error.where);
  EXPECT_THAT(where, ElementsAre("plan.json:/nodes", "plan.json:/sweep/iterations", "plan.json:/sweep/dtyp"));
  EXPECT_THAT(parse_task({{"id", "x"}, {"phase", "sft"}}, "p").error().where, "p:/model");
}

TEST(RankTaskJson, RoundTrips) {
  RankTask rank;
  rank.task = expand(input()).back();
  rank.node = "n2";
  rank.rank = 3;
  rank.world = 4;
  rank.local_rank = 1;
  rank.local_world = 2;
  rank.node_rank = 1;
  rank.cuda = true;
  rank.gpu = 5;
  rank.rendezvous_host = "n1";
  rank.rendezvous_port = 29500;
  rank.token = std::string(32, 'a');
  rank.dataset_dir = "/data/x";
  rank.save_dir = "/save";
  rank.checkpoint_dir = "/shared/run/task";
  rank.recorded_steps = 41;
  rank.memory_bytes = 141'000'000'000;
  rank.peak_tflops = 989.4;
  rank.cpu_threads = 2;
  rank.fabric = "roce";
  rank.mixed_gpus = true;
  const auto again = parse_rank_task(to_json(rank), "stdin");
  ASSERT_TRUE(again.ok()) << format_errors(again.errors());
  EXPECT_EQ(to_json(*again), to_json(rank));
  EXPECT_EQ(again->gpu, 5);
  EXPECT_EQ(again->fabric, "roce");
  EXPECT_TRUE(again->mixed_gpus);
  EXPECT_EQ(again->task.model.arch.kv_heads, 2);
  rank.rank = 4;
  EXPECT_EQ(parse_rank_task(to_json(rank), "stdin").error().what, "rank 4 of 4");
}

TEST(TaskId, DoesNotTellASecret) {
  PlanInput in = input();
  in.cluster.env = {{"HF_TOKEN", "1"}, {"A", "x"}};
  const std::vector<std::string> before = ids(in);
  in.cluster.env["HF_TOKEN"] = "2";
  EXPECT_EQ(ids(in), before);
  in.cluster.env["A"] = "y";
  EXPECT_NE(ids(in), before);
}

}  // namespace
}  // namespace sxb::plan
