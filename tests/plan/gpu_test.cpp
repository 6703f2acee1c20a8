#include "plan/gpu.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/units.h"
#include "plan/task.h"
#include "plan/validate.h"

namespace sxb::plan {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

PlanInput input(std::vector<Phase> phases, std::vector<int> counts) {
  PlanInput in;
  in.cluster.name = "c";
  for (const char* name : {"n1", "n2", "n3", "n4"}) {
    config::Node node;
    node.name = node.host = name;
    in.cluster.nodes.push_back(node);
  }
  in.phases = std::move(phases);
  in.node_counts = std::move(counts);
  in.burn = resolve_burn({}, true);
  return in;
}

DeviceFacts gpus(std::int64_t memory_bytes) { return {true, 8, 1, memory_bytes}; }

TEST(GpuPhases, RunBeforeTheSweepAndOnlyWhenNamed) {
  EXPECT_THAT(*parse_phases("nccl,burn,gpu"), ElementsAre(Phase::kGpu, Phase::kBurn, Phase::kNccl));
  const std::vector<Phase> full = *parse_phases("full");
  for (const Phase phase : full) {
    EXPECT_NE(phase, Phase::kGpu);
    EXPECT_NE(phase, Phase::kBurn);
  }
  EXPECT_EQ(parse_phases("brun").error().help, "did you mean \"burn\"?");
}

TEST(GpuPhases, MeasureTheMostNodesOnceAndBurnOnEachCount) {
  PlanInput in = input({Phase::kGpu, Phase::kBurn}, {2, 4});
  in.repeats = 2;
  std::vector<std::string> labels;
  std::set<std::string> ids;
  for (const Task& task : expand(in)) {
    labels.push_back(task.label());
    ids.insert(task.id);
  }
  EXPECT_THAT(labels, ElementsAre("gpu on 4 nodes", "gpu on 4 nodes", "burn bf16, 60 s on 2 nodes",
                                  "burn bf16, 60 s on 2 nodes", "burn bf16, 60 s on 4 nodes",
                                  "burn bf16, 60 s on 4 nodes"));
  EXPECT_EQ(ids.size(), labels.size());
}

TEST(GpuPhases, AnotherSettingIsAnotherTask) {
  const auto id = [](const PlanInput& in) { return expand(in).front().id; };
  PlanInput in = input({Phase::kBurn}, {1});
  const std::string first = id(in);
  in.burn.duration_s = 120;
  EXPECT_NE(id(in), first);
  PlanInput suite = input({Phase::kGpu}, {1});
  const std::string all = id(suite);
  suite.gpu.tests = {"hbm"};
  EXPECT_NE(id(suite), all);
}

TEST(GpuPhases, TasksSurviveTheirJson) {
  PlanInput in = input({Phase::kGpu, Phase::kBurn}, {1});
  in.gpu.tests = {"gemm", "p2p"};
  in.gpu.bytes = 64 << 20;
  in.gpu.max_runs = 9;
  in.burn.precision = "fp8";
  in.burn.streams = 2;
  in.burn.memory_pct = 50;
  for (const Task& task : expand(in)) {
    const Result<Task> again = parse_task(to_json(task), "task");
    ASSERT_TRUE(again.ok()) << format_errors(again.errors());
    EXPECT_EQ(to_json(*again), to_json(task));
  }
  EXPECT_FALSE(parse_gpu_suite({{"tests", "gemm"}}, "here").ok());
  EXPECT_FALSE(parse_burn({{"duration_s", 0}}, "here").ok());
  EXPECT_THAT(parse_burn({{"strems", 2}}, "here").error().help, HasSubstr("streams"));
}

TEST(ResolveBurn, ChoosesByDeviceWhatIsNotGiven) {
  EXPECT_EQ(resolve_burn({}, true).precision, "bf16");
  EXPECT_EQ(resolve_burn({}, true).size, 8192);
  EXPECT_EQ(resolve_burn({}, false).precision, "fp32");
  EXPECT_EQ(resolve_burn({}, false).size, 512);
  Burn given;
  given.precision = "fp64";
  given.size = 4096;
  EXPECT_EQ(resolve_burn(given, true).precision, "fp64");
  EXPECT_EQ(resolve_burn(given, true).size, 4096);
}

TEST(CheckGpuSuite, NamesWhatIsMeant) {
  GpuSuite suite;
  suite.tests = {"gem", "hbm"};
  const Errors errors = check_gpu_suite(suite, 0);
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors.front().where, "--tests");
  EXPECT_THAT(errors.front().help, HasSubstr("gemm"));
}

TEST(CheckGpuSuite, BuffersMustFit) {
  GpuSuite suite;
  EXPECT_TRUE(check_gpu_suite(suite, 4 * kGiB).empty());
  EXPECT_THAT(check_gpu_suite(suite, 2 * kGiB).front().help, HasSubstr("--size 341M"));
  suite.bytes = 1000;
  EXPECT_EQ(check_gpu_suite(suite, 0).front().where, "--size");
  suite = {};
  suite.max_runs = 0;
  EXPECT_EQ(check_gpu_suite(suite, 0).front().where, "--runs");
}

TEST(CheckBurn, EveryErrorAtOnce) {
  Burn burn;
  burn.duration_s = 0;
  burn.streams = 99;
  burn.memory_pct = 100;
  burn.precision = "bf61";
  burn.size = 100;
  std::vector<std::string> where;
  for (const Error& error : check_burn(burn, true, 0)) where.push_back(error.where);
  EXPECT_THAT(where, ElementsAre("--duration", "--streams", "--memory", "--precision", "--size"));
}

TEST(CheckBurn, CpuRanksHaveOnePrecision) {
  Burn burn = resolve_burn({}, false);
  EXPECT_TRUE(check_burn(burn, false, kGiB).empty());
  burn.precision = "bf16";
  EXPECT_THAT(check_burn(burn, false, kGiB).front().help, HasSubstr("--precision fp32"));
}

// 8192 x 8192 in BF16 are 128 MiB: A, B and two results for each of four streams.
TEST(CheckBurn, MatricesMustFit) {
  const Burn burn = resolve_burn({}, true);
  EXPECT_TRUE(check_burn(burn, true, 1280 * kMiB).empty());
  EXPECT_THAT(check_burn(burn, true, 1279 * kMiB).front().what, HasSubstr("1.2 GiB"));
}

TEST(ValidateGpuPhases, ReportsAndNamesTheVerb) {
  PlanInput in = input({Phase::kBurn}, {8});
  EXPECT_THAT(validate(in, gpus(140 * kGiB)).error().help, HasSubstr("sxbench burn --nodes"));
  in = input({Phase::kGpu, Phase::kBurn}, {2});
  EXPECT_TRUE(validate(in, gpus(140 * kGiB)).ok());
  in.gpu.tests = {"nothing"};
  in.burn.streams = 0;
  EXPECT_EQ(validate(in, gpus(140 * kGiB)).errors().size(), 2u);
}

}  // namespace
}  // namespace sxb::plan
