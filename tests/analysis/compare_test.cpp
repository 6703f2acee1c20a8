#include "analysis/compare/compare.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
  EXPECT_EQ(both.throughput().note, "A has 3 repeats, B 1: of B only the spread of its steps is known");
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
