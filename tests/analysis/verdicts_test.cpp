// Groups, scaling, goals and the speed-of-light guard.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/analysis.h"
#include "support/hardware_facts.h"
#include "support/synthetic_run.h"

namespace sxb::analysis {
namespace {

using ::testing::HasSubstr;
using testing::NcclSpec;
using testing::scratch;
using testing::SftSpec;
using testing::SyntheticRun;

std::optional<config::GpuHardware> h200(const std::string& name) {
  if (name != "NVIDIA H200") return std::nullopt;
  config::GpuHardware gpu;
  gpu.nvlink_gBps = 450;
  return gpu;
}

struct Judged {
  Dataset dataset;
  Analysis analysis;
};

/// Owns the dataset that the analysis points into.
std::unique_ptr<Judged> judge_run(const SyntheticRun& run) {
  run.write();
  auto judged = std::make_unique<Judged>();
  auto dataset = load_dataset(run.folder());
  EXPECT_TRUE(dataset.ok());
  judged->dataset = std::move(*dataset);
  judged->analysis = analyze(judged->dataset, {h200, testing::shipped_paths()});
  return judged;
}

const Verdict* find(const Analysis& analysis, const std::string& item) {
  for (const Verdict& verdict : analysis.verdicts) {
    if (verdict.item == item) return &verdict;
  }
  ADD_FAILURE() << "no verdict \"" << item << "\"";
  static const Verdict kNone;
  return &kNone;
}

bool has_finding(const Analysis& analysis, const std::string& code) {
  for (const Finding& finding : analysis.findings) {
    if (finding.code == code) return true;
  }
  return false;
}

SftSpec sft(const std::string& id, int nodes, double step_ms, int repeat = 0) {
  SftSpec spec;
  spec.id = id;
  spec.nodes = nodes;
  spec.step_ms = step_ms;
  spec.repeat = repeat;
  return spec;
}

SyntheticRun sft_run(const std::vector<SftSpec>& specs, const Json& goals) {
  SyntheticRun run(scratch("run"));
  Json plan = Json::array();
  for (const SftSpec& spec : specs) plan.push_back(testing::planned_sft(spec));
  run.add("run", testing::run_data("synthetic", plan, goals));
  for (const SftSpec& spec : specs) add_sft_task(run, spec);
  return run;
}

// Weak scaling: twice the work in 1.25 times the time is a speed-up of 1.6 and 80 %.
TEST(Scaling, AgainstTheSmallestNodeCount) {
  const auto run = judge_run(sft_run({sft("a", 2, 125), sft("b", 1, 100)},
                                     {{"scaling_efficiency_pct", {{"2", 80}, {"1", 50}, {"4", 90}}}}));
  const SftGroup& two = run->analysis.sft[0];
  EXPECT_NEAR(*two.speedup, 1.6, 1e-9);
  EXPECT_NEAR(*two.efficiency, 0.8, 1e-9);
  EXPECT_EQ(*two.base_nodes, 1);
  EXPECT_EQ(two.scaling, "weak");
  EXPECT_EQ(*two.global_batch, 8);
  EXPECT_NEAR(*run->analysis.sft[1].efficiency, 1, 1e-9);
  EXPECT_EQ(find(run->analysis, "Scaling efficiency, 7b on 2 nodes")->mark, Mark::kPass);
  EXPECT_THAT(find(run->analysis, "Scaling efficiency, 7b on 2 nodes")->note, HasSubstr("base: 1 node"));
  EXPECT_EQ(find(run->analysis, "Scaling efficiency, 7b on 1 node")->mark, Mark::kNotMeasured);
  EXPECT_EQ(find(run->analysis, "Scaling efficiency on 4 nodes")->mark, Mark::kNotMeasured);
  EXPECT_TRUE(run->analysis.goals_met());
}

TEST(Scaling, MissedGoalFails) {
  const auto run =
      judge_run(sft_run({sft("a", 1, 100), sft("b", 2, 125)}, {{"scaling_efficiency_pct", {{"2", 81}}}}));
  EXPECT_EQ(find(run->analysis, "Scaling efficiency, 7b on 2 nodes")->mark, Mark::kFail);
  EXPECT_FALSE(run->analysis.goals_met());
}

TEST(Scaling, FailedTaskHasNoEfficiencyAndIsNoBase) {
  SftSpec failed = sft("a", 1, 100);
  failed.status = "failed";
  failed.reason = "out of memory";
  const auto run = judge_run(sft_run({failed, sft("b", 2, 125)}, {{"scaling_efficiency_pct", {{"2", 80}}}}));
  EXPECT_EQ(run->analysis.sft[0].status(), "failed");
  EXPECT_FALSE(run->analysis.sft[0].efficiency);
  EXPECT_FALSE(run->analysis.sft[0].figures.get("samples_per_sec"));
  EXPECT_EQ(*run->analysis.sft[1].base_nodes, 2);
  EXPECT_EQ(find(run->analysis, "Scaling efficiency, 7b on 2 nodes")->mark, Mark::kNotMeasured);
}

TEST(Groups, RepeatsGiveTheMedianAndTheirSpread) {
  const auto run =
      judge_run(sft_run({sft("a", 1, 100), sft("b", 1, 80, 1), sft("c", 1, 90, 2)}, Json::object()));
  ASSERT_EQ(run->analysis.sft.size(), 1u);
  const SftGroup& group = run->analysis.sft[0];
  EXPECT_EQ(group.ok, 3);
  EXPECT_NEAR(*group.figures.get("samples_per_sec"), 4 / 0.09, 1e-9);
  EXPECT_NEAR(*group.repeat_spread, (4 / 0.08 - 4 / 0.1) / (4 / 0.09), 1e-9);
  EXPECT_TRUE(group.unstable);
  EXPECT_TRUE(has_finding(run->analysis, "unstable"));
}

TEST(Groups, SameNameWithAnotherShapeIsNotMixed) {
  SyntheticRun run(scratch("run"));
  Json changed = testing::planned_sft(sft("b", 1, 100));
  changed["model"]["layers"] = 2;
  run.add("run",
          testing::run_data("synthetic", {testing::planned_sft(sft("a", 1, 100)), changed}, Json::object()));
  add_sft_task(run, sft("a", 1, 100));
  add_sft_task(run, sft("b", 1, 100));
  const auto judged = judge_run(run);
  ASSERT_EQ(judged->analysis.sft.size(), 2u);
  EXPECT_THAT(judged->analysis.sft[0].model, HasSubstr("7b@"));
  EXPECT_NE(judged->analysis.sft[0].model, judged->analysis.sft[1].model);
}

TEST(Goals, GpuUtilization) {
  SyntheticRun run = sft_run({sft("a", 1, 100)}, {{"gpu_utilization_pct", 98.5}});
  add_gpu_samples(run, sft("a", 1, 100), 690);
  EXPECT_EQ(find(judge_run(run)->analysis, "GPU utilization, 7b on 1 node")->mark, Mark::kFail);
}

TEST(Goals, NoSamplesIsNotMeasured) {
  const auto run = judge_run(sft_run({sft("a", 1, 100)}, {{"gpu_utilization_pct", 90}}));
  EXPECT_EQ(find(run->analysis, "GPU utilization, 7b on 1 node")->mark, Mark::kNotMeasured);
  EXPECT_TRUE(run->analysis.goals_met());
}

const Json kTwoRails = {{{"name", "mlx5_0"}, {"line_rate_gbps", 400}},
                        {{"name", "mlx5_1"}, {"line_rate_gbps", 400}}};

std::unique_ptr<Judged> nccl_run(const NcclSpec& spec, const Json& goals, const Json& nics) {
  SyntheticRun run(scratch("run"));
  run.add("run", testing::run_data("synthetic", Json::array({testing::planned_nccl(spec.id, spec.nodes)}),
                                   goals, nics));
  add_nccl_task(run, spec);
  return judge_run(run);
}

// Two machines of 2 ranks: busbw 120 GB/s is algbw 80 GB/s, 640 of 800 Gbit/s.
TEST(Goals, BandwidthOfTheLine) {
  const auto run =
      nccl_run({"n", 2, 2, 120}, {{"bandwidth_pct_of_line", 80}, {"busbw_gBps", 121}}, kTwoRails);
  const Verdict* line = find(run->analysis, "Network bandwidth of line rate, all_reduce on 2 nodes");
  EXPECT_EQ(line->mark, Mark::kPass);
  EXPECT_EQ(line->achieved, "80.0 %");
  EXPECT_EQ(find(run->analysis, "Bus bandwidth, all_reduce on 2 nodes")->mark, Mark::kFail);
}

TEST(Goals, LineRateIsNotJudgedOnOneMachineOrWithoutIt) {
  const Json goal = {{"bandwidth_pct_of_line", 80}};
  NcclSpec pretended{"n", 2, 2, 120};
  pretended.one_machine = true;
  EXPECT_EQ(find(nccl_run(pretended, goal, kTwoRails)->analysis,
                 "Network bandwidth of line rate, all_reduce on 2 nodes")
                ->mark,
            Mark::kNotJudged);
  EXPECT_EQ(find(nccl_run({"n", 2, 2, 120}, goal, Json::array())->analysis,
                 "Network bandwidth of line rate, all_reduce on 2 nodes")
                ->mark,
            Mark::kNotJudged);
}

// Two machines with 100 GB/s each, two ranks a machine: no more than 2·3/4·100 = 150 GB/s busbw.
TEST(SpeedOfLight, BusbwAboveTheLineIsImplausibleAndFailsTheGoals) {
  EXPECT_FALSE(
      nccl_run({"n", 2, 2, 149}, Json::object(), kTwoRails)->analysis.nccl[0].rows.back().implausible);
  const auto run = nccl_run({"n", 2, 2, 151}, {{"bandwidth_pct_of_line", 90}}, kTwoRails);
  EXPECT_TRUE(run->analysis.nccl[0].rows.back().implausible);
  EXPECT_FALSE(run->analysis.nccl[0].rows.front().implausible);
  EXPECT_EQ(find(run->analysis, "Network bandwidth of line rate, all_reduce on 2 nodes")->mark,
            Mark::kImplausible);
  const Verdict* verdict = find(run->analysis, "Speed of light, busbw, all_reduce on 2 nodes");
  EXPECT_EQ(verdict->mark, Mark::kImplausible);
  EXPECT_EQ(verdict->note,
            "above the limit of network line rate: 151.0 GB/s busbw > 100 GB/s of NICs per host x 2(4-1)/4 / "
            "(2(2-1)/2) "
            "= 150.0 GB/s");
  EXPECT_TRUE(has_finding(run->analysis, "implausible"));
  EXPECT_FALSE(run->analysis.goals_met());
}

TEST(SpeedOfLight, MfuAboveOneIsImplausible) {
  SftSpec spec = sft("a", 1, 100);
  spec.peak_tflops = 200;  // 40000 tokens/s · 13 GFLOP / 2 = 260 TFLOP/s a GPU
  SyntheticRun run = sft_run({spec}, {{"gpu_utilization_pct", 90}});
  add_gpu_samples(run, spec, 690);
  const auto judged = judge_run(run);
  EXPECT_TRUE(judged->analysis.sft[0].implausible);
  EXPECT_EQ(find(judged->analysis, "GPU utilization, 7b on 1 node")->mark, Mark::kImplausible);
  EXPECT_FALSE(judged->analysis.goals_met());
}

TEST(DataCheck, WrongElementsFail) {
  EXPECT_EQ(find(nccl_run({"n", 1, 2, 100}, Json::object(), Json::array())->analysis,
                 "Data check, all_reduce on 1 node")
                ->mark,
            Mark::kPass);
  const auto run = nccl_run({"n", 1, 2, 100, 3}, Json::object(), Json::array());
  EXPECT_EQ(find(run->analysis, "Data check, all_reduce on 1 node")->mark, Mark::kFail);
  EXPECT_EQ(find(run->analysis, "Data check, all_reduce on 1 node")->achieved, "9 wrong elements");
  EXPECT_FALSE(run->analysis.goals_met());
}

/// Ten steps of 100 ms, one of 140 ms and one of 107 ms.
TEST(Outliers, AreNamedAndStayInTheFigures) {
  SftSpec spec = sft("b0", 1, 100);
  spec.factors = {1, 1.001, 0.999, 1.002, 0.998, 1.4, 1, 1.001, 0.999, 1.07, 1, 1};
  SyntheticRun run(scratch("run"));
  run.add("run", testing::run_data("r", {testing::planned_sft(spec)}, Json::object()));
  testing::add_sft_task(run, spec);
  const auto judged = judge_run(run);
  const SftGroup& group = judged->analysis.sft[0];
  EXPECT_EQ(*group.figures.get("step_outliers"), 2);
  EXPECT_EQ(*group.figures.get("measured_steps"), 12);
  for (const Finding& finding : judged->analysis.findings) {
    if (finding.code != "outlier_steps") continue;
    EXPECT_EQ(finding.severity, "warning");
    // The first step is warm-up.
    EXPECT_THAT(finding.message, HasSubstr("2 of 12 measured steps"));
    EXPECT_THAT(finding.message, HasSubstr("step 7 +40.0 % (high), step 11 +7.0 % (low)"));
    return;
  }
  ADD_FAILURE() << "no finding outlier_steps";
}

/// What two repeats differ by is part of the interval of their group, not of that of one of them.
TEST(Intervals, KnowTheSpreadBetweenRepeats) {
  SyntheticRun run(scratch("run"));
  std::vector<SftSpec> specs = {sft("b0", 1, 100, 0), sft("b1", 1, 110, 1)};
  Json plan = Json::array();
  for (SftSpec& spec : specs) {
    spec.factors = {1, 1.001, 0.999, 1.002, 0.998, 1, 1, 1.001, 0.999, 1};
    plan.push_back(testing::planned_sft(spec));
  }
  run.add("run", testing::run_data("r", plan, Json::object()));
  for (const SftSpec& spec : specs) testing::add_sft_task(run, spec);
  const auto judged = judge_run(run);
  const SftGroup& group = judged->analysis.sft[0];
  const Figures& first = group.tasks[0].figures;
  EXPECT_LT(*first.get("step_time_ms_median_high") - *first.get("step_time_ms_median_low"), 0.5);
  EXPECT_LT(*group.figures.get("step_time_ms_median_low"), 100);
  EXPECT_GT(*group.figures.get("step_time_ms_median_high"), 110);
  // 2000 tokens a rank and step.
  EXPECT_LT(*group.figures.get("tokens_per_sec_per_gpu_low"), 2000 / 0.110);
  EXPECT_GT(*group.figures.get("tokens_per_sec_per_gpu_high"), 2000 / 0.100);
}

}  // namespace
}  // namespace sxb::analysis
