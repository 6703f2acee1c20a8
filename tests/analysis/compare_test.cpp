#include "analysis/compare/compare.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/compare/comparison_points.h"
#include "support/compare_sides.h"

namespace sxb::analysis {
namespace {

using ::testing::HasSubstr;
using testing::scratch;
using testing::SftSpec;
using ::testing::StartsWith;
using testing::SyntheticRun;

TEST(Compare, SameRunIsTheSame) {
  const Compares both(sft_side("a", {sft(100)}), sft_side("b", {sft(100)}));
  ASSERT_EQ(both.comparison.items.size(), 2u);
  EXPECT_EQ(both.comparison.count(Judgement::kSame), 2u);
  EXPECT_EQ(*both.throughput().change, 0);
  EXPECT_TRUE(both.comparison.facts.empty());
  // 2000 tokens a rank and step of 100 ms.
  EXPECT_NEAR(*both.throughput().a.value, 20000, 1e-6);
}

TEST(Compare, SlowerNamesChangeIntervalAndThreshold) {
  const Compares both(sft_side("a", {sft(100)}), sft_side("b", {sft(105)}));
  const Compared& throughput = both.throughput();
  EXPECT_EQ(throughput.judgement, Judgement::kSlower);
  EXPECT_THAT(throughput.reason, StartsWith("-4.8 % [-"));
  EXPECT_THAT(throughput.reason, HasSubstr("threshold 3 %"));
  EXPECT_EQ(throughput.note, "one repeat a side: only the spread of the steps is known");
  // A longer step is slower, though its figure is higher.
  EXPECT_EQ(both.step_time().judgement, Judgement::kSlower);
  EXPECT_NEAR(*both.step_time().change, 0.05, 1e-9);
  EXPECT_LT(both.step_time().interval->low, 0.05);
  EXPECT_GT(both.step_time().interval->high, 0.05);
}

TEST(Compare, FasterIsTheOtherWayRound) {
  const Compares both(sft_side("a", {sft(105)}), sft_side("b", {sft(100)}));
  EXPECT_EQ(both.comparison.count(Judgement::kFaster), 2u);
}

TEST(Compare, BelowTheThresholdIsTheSame) {
  const Side a = sft_side("a", {sft(100)});
  const Side b = sft_side("b", {sft(105)});
  CompareOptions options;
  options.threshold = 0.06;
  EXPECT_EQ(compare(a, b, options).count(Judgement::kSame), 2u);
}

TEST(Compare, WideIntervalIsUnstable) {
  const Compares both(sft_side("a", {sft(100, 0.2)}), sft_side("b", {sft(102, 0.2)}));
  EXPECT_EQ(both.step_time().judgement, Judgement::kUnstable);
  EXPECT_THAT(both.step_time().reason, HasSubstr("too wide to tell"));
}

/// Enough steps make the interval narrow; a change within the spread of a side is still not one to rely on.
TEST(Compare, ChangeWithinTheSpreadOfOneSideIsUnstable) {
  SftSpec noisy = sft(104, 0.2);
  std::vector<double> many;
  for (int i = 0; i < 40; ++i) many.insert(many.end(), noisy.factors.begin(), noisy.factors.end());
  noisy.factors = many;
  const Compares both(sft_side("a", {sft(100)}), sft_side("b", {noisy}));
  EXPECT_EQ(both.step_time().judgement, Judgement::kUnstable);
  EXPECT_THAT(both.step_time().reason, HasSubstr("B itself is UNSTABLE: its steps vary by"));
}

/// A change far beyond that spread is one.
TEST(Compare, ChangeBeyondTheSpreadCounts) {
  const Compares both(sft_side("a", {sft(100, 0.1)}), sft_side("b", {sft(200, 0.1)}));
  EXPECT_EQ(both.step_time().judgement, Judgement::kSlower);
}

TEST(Compare, SaysWhichSideHasRepeats) {
  const Compares both(sft_side("a", {sft(100, 0.005, 0), sft(101, 0.005, 1), sft(100, 0.005, 2)}),
                      sft_side("b", {sft(100)}));
  EXPECT_EQ(both.throughput().a.repeats, 3u);
  EXPECT_EQ(both.throughput().note, "A has 3 repeats, B 1: B is taken to vary as those of A do");
}

TEST(Compare, RunsOfOneSideAreItsRepeats) {
  Side a = sft_side("a1", {sft(100)});
  a.push_back(std::move(sft_side("a2", {sft(102)}).front()));
  const Compares both(std::move(a), sft_side("b", {sft(101)}));
  EXPECT_EQ(both.step_time().a.repeats, 2u);
  EXPECT_NEAR(*both.step_time().a.value, 101, 1e-9);
}

TEST(Compare, MissingSaysWhyAndOnWhichSide) {
  SftSpec failed = sft(100);
  failed.status = "failed";
  failed.reason = "rank 1 on synthetic1 was killed by signal 9";
  SftSpec other = sft(100, 0.005, 1);
  other.model = "13b";
  const Compares both(sft_side("a", {sft(100)}), sft_side("b", {failed, other}));
  const Compared& lost = find(both.comparison, "tokens/s/GPU", "", "7b");
  EXPECT_EQ(lost.judgement, Judgement::kMissing);
  EXPECT_EQ(lost.reason, "not in B: rank 1 on synthetic1 was killed by signal 9");
  EXPECT_FALSE(lost.b.value);
  const Compared& added = find(both.comparison, "tokens/s/GPU", "", "13b");
  EXPECT_EQ(added.judgement, Judgement::kMissing);
  EXPECT_EQ(added.reason, "not in A");
  EXPECT_FALSE(both.comparison.any_pair());
}

TEST(Compare, ImplausibleIsNeverFaster) {
  SftSpec impossible = sft(1);
  impossible.peak_tflops = 1;
  const Compares both(sft_side("a", {sft(100)}), sft_side("b", {impossible}));
  EXPECT_EQ(both.throughput().judgement, Judgement::kMissing);
  EXPECT_THAT(both.throughput().reason, HasSubstr("B: IMPLAUSIBLE"));
  EXPECT_TRUE(both.throughput().b.value);
  EXPECT_EQ(both.comparison.count(Judgement::kFaster), 0u);
}

// ---- the same rows, the same run

/// A row's fill moves tokens and times by a fifth, in both runs alike.
TEST(Compare, StepsOfTheSameRowsArePaired) {
  const Compares both(sft_side("a", {packed_sft(100, 1)}), sft_side("b", {packed_sft(104, 2)}));
  for (const Compared* item : {&both.throughput(), &both.step_time()}) {
    EXPECT_EQ(item->judgement, Judgement::kSlower) << item->reason;
    EXPECT_LT(item->interval->high - item->interval->low, 0.005);
    EXPECT_THAT(item->note, StartsWith("the same rows in both, compared step by step; one repeat a side"));
  }
  const Compares same(sft_side("a", {packed_sft(100, 1)}), sft_side("b", {packed_sft(100, 2)}));
  EXPECT_EQ(same.comparison.count(Judgement::kSame), 2u);
}

TEST(Compare, StepsOfOtherRowsAreNot) {
  SftSpec other_data = packed_sft(104, 2), other_fill = packed_sft(104, 2);
  other_data.dataset_hash = "0ther";
  other_fill.tokens[3] += 1;
  SftSpec unknown = packed_sft(104, 2);
  unknown.dataset_hash.clear();
  for (const SftSpec& other : {other_data, other_fill, unknown}) {
    const Compares both(sft_side("a", {packed_sft(100, 1)}), sft_side("b", {other}));
    EXPECT_GT(both.throughput().interval->high - both.throughput().interval->low, 0.03);
    EXPECT_EQ(both.throughput().note, "one repeat a side: only the spread of the steps is known");
  }
}

/// What a report states of such a run is as narrow: the fill would be the same again.
TEST(Compare, ReportsIntervalKnowsNoFillEither) {
  const Side side = sft_side("a", {packed_sft(100, 1)});
  const Figures& figures = side.front()->analysis.sft.front().figures;
  const double low = *figures.get("tokens_per_sec_per_gpu_low");
  const double high = *figures.get("tokens_per_sec_per_gpu_high");
  EXPECT_GT(high, low);
  EXPECT_LT(high / low, 1.005);
}

/// Of several repeats a report and a comparison state the interval of one formula.
TEST(Compare, ReportAndComparisonAgree) {
  const Side a = sft_side("a", {sft(100, 0.005, 0), sft(101, 0.005, 1), sft(103, 0.005, 2)});
  const Figures& figures = a.front()->analysis.sft.front().figures;
  const PointSet points = [&] {
    PointSet set;
    set.add(a.front()->analysis);
    return set;
  }();
  const auto interval = stats::center_interval(points.points().front().repeats);
  ASSERT_TRUE(interval);
  EXPECT_DOUBLE_EQ(*figures.get("tokens_per_sec_per_gpu_low"), interval->low);
  EXPECT_DOUBLE_EQ(*figures.get("tokens_per_sec_per_gpu_high"), interval->high);
}

/// Steps that drift by a tenth: two of one build are called nothing, and the reason says why.
TEST(Compare, StepsThatAreAlikeAreNotEnoughToTell) {
  SftSpec up = sft(100), down = sft(106);
  for (std::size_t i = 0; i < up.factors.size(); ++i) {
    up.factors[i] = 1 + 0.005 * static_cast<double>(i);
    down.factors[i] = 1.1 - 0.005 * static_cast<double>(i);
  }
  const Compares both(sft_side("a", {up}), sft_side("b", {down}));
  EXPECT_EQ(both.comparison.count(Judgement::kUnstable), 2u);
  EXPECT_THAT(both.throughput().reason,
              HasSubstr("not enough to tell: neighbouring steps are alike, or few: worth "));
}

TEST(Compare, ARunAgainstItselfIsJudgedNothing) {
  const SftSpec noisy = sft(100, 0.4);
  const Compares both(sft_side("a", {noisy}), sft_side("a", {noisy}));
  EXPECT_EQ(both.comparison.count(Judgement::kSame), 2u);
  EXPECT_EQ(both.throughput().note, "A and B are the same run: nothing is compared");
}

TEST(Compare, ARunOnBothSidesIsSaid) {
  Side a = sft_side("a", {sft(100)}), b = sft_side("b", {sft(101)});
  b.push_back(std::move(sft_side("a", {sft(100)}).front()));
  const Compares both(std::move(a), std::move(b));
  EXPECT_THAT(both.throughput().note, HasSubstr("a run stands on both sides"));
}

TEST(Compare, ARunTwiceOnOneSideIsRefused) {
  const Side once = sft_side("a", {sft(100)});
  const auto folder = once.front()->dataset.folder;
  const Result<Side> twice = load_side({folder, folder});
  ASSERT_FALSE(twice.ok());
  EXPECT_EQ(twice.error().what, "the run is named twice on one side");
}

/// 13 ms for twice the tokens is no slower step.
TEST(Compare, StepTimesOfOtherWorkAreNotCompared) {
  SftSpec wide = sft(100);
  wide.ranks_per_node = 4;
  const Compares both(sft_side("a", {sft(100)}), sft_side("b", {wide}));
  ASSERT_EQ(both.comparison.items.size(), 1u);
  EXPECT_EQ(both.comparison.items[0].figure, "tokens/s/GPU");
}

// ---- facts

std::string fact(const Comparison& comparison, const std::string& name) {
  for (const FactChange& change : comparison.facts) {
    if (change.fact == name) return change.a + " -> " + change.b;
  }
  return "";
}

Side facts_side(const std::string& name, const Json& env, const std::vector<std::string>& drivers,
                int micro_batch, const std::string& model = "7b") {
  Json plan = {{{"id", "t"},
                {"phase", "sft"},
                {"nodes", 1},
                {"model", {{"name", model}, {"training", {{"micro_batch", micro_batch}, {"seed", 1}}}}}}};
  Json data = testing::run_data(name, plan, Json::object());
  data["nccl_env"] = env;
  SyntheticRun run(scratch(name));
  run.add("run", data);
  run.add("task_start", {{"phase", "sft"}, {"label", "sft"}, {"nodes", {"n1"}}, {"world", 1}}, "t");
  for (std::size_t i = 0; i < drivers.size(); ++i) {
    run.add("node", {{"driver", drivers[i]}}, "t", fmt::format("n{}", i + 1));
  }
  run.add("training", {{"model", model}, {"micro_batch", micro_batch}, {"flops_per_token_full", micro_batch}},
          "t", "n1", 0);
  run.add("task_end", {{"status", "ok"}}, "t");
  return load(run);
}

TEST(CompareFacts, NamesWhatDiffersAndNothingElse) {
  const Compares both(facts_side("a", {{"NCCL_ALGO", "Ring"}, {"NCCL_DEBUG", "WARN"}}, {"550", "550"}, 4),
                      facts_side("b", {{"NCCL_DEBUG", "WARN"}, {"NCCL_IB_HCA", "mlx5"}}, {"550", "560"}, 8));
  EXPECT_EQ(both.comparison.facts.size(), 4u);
  EXPECT_EQ(fact(both.comparison, "NCCL_ALGO"), "Ring -> –");
  EXPECT_EQ(fact(both.comparison, "NCCL_IB_HCA"), "– -> mlx5");
  EXPECT_EQ(fact(both.comparison, "driver"), "550 -> 550 (n1), 560 (n2)");
  EXPECT_EQ(fact(both.comparison, "7b: micro_batch"), "4 -> 8");
}

/// Settings of a model that only one side trained would be a list of everything.
TEST(CompareFacts, SettingsOfTasksOfOneSideAreLeftOut) {
  const Compares both(facts_side("a", Json::object(), {"550"}, 4),
                      facts_side("b", Json::object(), {"550"}, 8, "13b"));
  EXPECT_TRUE(both.comparison.facts.empty());
}

Side explained_side(const std::string& name, const Json& settings) {
  SyntheticRun run = start(name, {{{"id", "t"}, {"phase", "sft"}, {"nodes", 1}}});
  run.add("task_start", {{"phase", "sft"}, {"label", "sft"}, {"nodes", {"n1"}}, {"world", 1}}, "t");
  run.add("training", settings, "t", "n1", 0);
  run.add("task_end", {{"status", "ok"}}, "t");
  return load(run);
}

/// Memory free at the time, seconds of a block, a gain that was timed: these differ from run to run.
TEST(CompareFacts, AnotherReasonIsNoOtherSetting) {
  const Compares both(
      explained_side("a", {{"sharding", "full"},
                           {"sharding_reason", "auto: gradients would take 141 GiB of 140 GiB"},
                           {"cuda_graph", "each block computes for 21 ms"},
                           {"gemm", "cublasLt 1, 3 of 9 products tuned, timed here: 1.036 times"}}),
      explained_side("b", {{"sharding", "full"},
                           {"sharding_reason", "auto: gradients would take 141 GiB of 139 GiB"},
                           {"cuda_graph", "each block computes for 22 ms"},
                           {"gemm", "cublasLt 1, 3 of 9 products tuned, timed here: 1.037 times"}}));
  EXPECT_TRUE(both.comparison.facts.empty());
}

TEST(CompareFacts, AnotherSettingHasItsReason) {
  const Compares both(
      explained_side("a", {{"sharding", "gradients"},
                           {"sharding_reason", "set"},
                           {"cuda_graph", "replayed"},
                           {"gemm", "cublasLt 1, 3 of 9 products tuned, timed here: 1.036 times"}}),
      explained_side("b", {{"sharding", "full"},
                           {"sharding_reason", "hybrid on one node is full"},
                           {"cuda_graph", "training.cuda_graph is off"},
                           {"gemm", "cublasLt 1, 4 of 9 products tuned, from a file"}}));
  ASSERT_EQ(both.comparison.facts.size(), 3u);
  EXPECT_EQ(fact(both.comparison, "sft: sharding"), "gradients -> full (hybrid on one node is full)");
  EXPECT_EQ(fact(both.comparison, "sft: cuda_graph"),
            "replayed -> not replayed (training.cuda_graph is off)");
  EXPECT_EQ(fact(both.comparison, "sft: gemm"),
            "cublasLt 1, 3 of 9 products tuned, timed here (1.036 times) -> "
            "cublasLt 1, 4 of 9 products tuned, from a file");
}

TEST(Compare, OnlyTheSectionsAskedFor) {
  const Side a = sft_side("a", {sft(100)});
  CompareOptions options;
  options.sections = {"nccl"};
  EXPECT_TRUE(compare(a, a, options).items.empty());
  options.sections = {"sft"};
  EXPECT_EQ(compare(a, a, options).items.size(), 2u);
}

TEST(Compare, NoRunNoSide) {
  const Result<Side> side = load_side({scratch("nowhere")});
  ASSERT_FALSE(side.ok());
  EXPECT_EQ(side.error().what, "no such folder");
}

}  // namespace
}  // namespace sxb::analysis
