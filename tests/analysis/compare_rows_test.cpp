// Comparison of the rows of collective sweeps and of single GPUs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/compare_sides.h"

namespace sxb::analysis {
namespace {

using ::testing::HasSubstr;
using testing::SyntheticRun;

// ---- collectives

struct RowSpec {
  std::int64_t size = 8 << 20;
  double time_us = 100;
  double busbw = 300;
  std::optional<double> noise_pct = {};
  double wrong = 0;
  int group = 0, groups = 1;
};

Side nccl_side(const std::string& name, const std::vector<std::pair<Json, std::vector<RowSpec>>>& tasks,
               int world = 4) {
  Json plan = Json::array();
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    Json planned = testing::planned_nccl(fmt::format("c0ffee00000{}", i), 1);
    planned["sweep"].update(tasks[i].first);
    plan.push_back(planned);
  }
  SyntheticRun run = start(name, plan);
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const std::string id = fmt::format("c0ffee00000{}", i);
    run.add("task_start",
            {{"phase", "nccl"}, {"label", "nccl all_reduce on 1 node"}, {"nodes", {"n1"}}, {"world", world}},
            id);
    run.add("node", {{"hostname", "h1"}}, id, "n1");
    run.add("device", {{"device", "cuda"}, {"name", "NVIDIA H200"}, {"backend", "nccl"}}, id, "n1", 0);
    for (const RowSpec& spec : tasks[i].second) {
      Json placement = {{"time_us", spec.time_us}, {"busbw_gBps", spec.busbw}, {"wrong", spec.wrong}};
      if (spec.noise_pct) {
        placement["per_iteration"] = {{"p50_us", spec.time_us},
                                      {"p95_us", spec.time_us * (1 + 0.01645 * *spec.noise_pct)},
                                      {"cv_pct", 400}};
      }
      run.add("collective",
              {{"collective", "all_reduce"},
               {"size_bytes", spec.size},
               {"count", spec.size / 4},
               {"dtype", "float"},
               {"redop", "sum"},
               {"root", -1},
               {"iterations", 20},
               {"group", spec.group},
               {"groups", spec.groups},
               {"out_of_place", placement}},
              id, "n1", 0);
    }
    run.add("task_end", {{"status", "ok"}}, id);
  }
  return load(run);
}

Side nccl_rows(const std::string& name, const std::vector<RowSpec>& rows) {
  return nccl_side(name, {{Json::object(), rows}});
}

TEST(Compare, LargeSizesByBandwidthSmallOnesByTime) {
  const std::vector<RowSpec> rows = {{1024, 10, 0.1}, {1 << 20, 20, 100}};
  const Compares both(nccl_rows("a", rows), nccl_rows("b", rows));
  EXPECT_EQ(find(both.comparison, "time", "1 KiB").unit, "us");
  EXPECT_EQ(find(both.comparison, "busbw", "1 MiB").unit, "GB/s");
  EXPECT_EQ(both.comparison.count(Judgement::kSame), 2u);
}

/// One value a side says nothing about its spread.
TEST(Compare, RowsWithoutSpreadNeedALargerChange) {
  const Compares less(nccl_rows("a", {{8 << 20, 100, 300}}), nccl_rows("b", {{8 << 20, 109, 276}}));
  EXPECT_EQ(find(less.comparison, "busbw").judgement, Judgement::kSame);
  EXPECT_THAT(find(less.comparison, "busbw").note, HasSubstr("judged against 10 %"));
  EXPECT_EQ(find(less.comparison, "busbw").reason, "-8.0 %, threshold 10 %");
  const Compares more(nccl_rows("a", {{8 << 20, 100, 300}}), nccl_rows("c", {{8 << 20, 115, 261}}));
  EXPECT_EQ(find(more.comparison, "busbw").judgement, Judgement::kSlower);
}

TEST(Compare, PerIterationStatisticsGiveAnInterval) {
  const Compares both(nccl_rows("a", {{8 << 20, 100, 300, 1.0}}), nccl_rows("b", {{8 << 20, 105, 285, 1.0}}));
  const Compared& row = find(both.comparison, "busbw");
  EXPECT_EQ(row.judgement, Judgement::kSlower);
  // Standard error 1 % / sqrt(20) a side, so ± 1.96 sqrt(2) 0.224 % = ± 0.62 %.
  EXPECT_NEAR(row.interval->high - row.interval->low, 2 * 0.0062 * 0.95, 0.0015);
  EXPECT_EQ(row.note, "one repeat a side: only the spread of the iterations is known");
}

/// Twenty iterations of some microseconds: 5 % of them is no news between two runs, and what they leave open
/// at 10 % is not judged.
TEST(Compare, SmallSizesOfOneRepeatAreJudgedAgainstTenPercent) {
  const auto verdict = [](double time_us, double noise_pct) {
    const Compares both(nccl_rows("a", {{1024, 10, 0.1, noise_pct}}),
                        nccl_rows("b", {{1024, time_us, 0.1, noise_pct}}));
    return find(both.comparison, "time").judgement;
  };
  EXPECT_EQ(verdict(10.5, 2), Judgement::kSame);
  EXPECT_EQ(verdict(10.5, 10), Judgement::kSame);
  EXPECT_EQ(verdict(10.0, 40), Judgement::kNotJudged);
  EXPECT_EQ(verdict(12.0, 40), Judgement::kNotJudged);
  EXPECT_EQ(verdict(12.0, 2), Judgement::kSlower);
  EXPECT_EQ(verdict(8.5, 2), Judgement::kFaster);
  const Compares both(nccl_rows("a", {{1024, 10, 0.1, 40}}), nccl_rows("b", {{1024, 10, 0.1, 40}}));
  EXPECT_EQ(find(both.comparison, "time").note,
            "one repeat a side of a size below 1 MiB: judged against 10 %");
  EXPECT_THAT(find(both.comparison, "time").reason,
              HasSubstr("threshold 10 %; the interval is too wide to tell"));
}

/// A journal of before the statistics beside one that has them.
TEST(Compare, SpreadOfOneSideIsSaidToBeThat) {
  const Compares both(nccl_rows("a", {{8 << 20, 100, 300}}), nccl_rows("b", {{8 << 20, 100, 300, 1.0}}));
  EXPECT_EQ(find(both.comparison, "busbw").note,
            "A has 1 repeat, B 1: of A no spread is known, of B only the spread of its iterations is known");
}

/// One rank has no bus bandwidth: its times are compared.
TEST(Compare, RowsOfOneRankByTime) {
  const Compares both(nccl_rows("a", {{8 << 20, 10, 0}}), nccl_rows("b", {{8 << 20, 10, 0}}));
  EXPECT_EQ(find(both.comparison, "time", "8 MiB").judgement, Judgement::kSame);
}

TEST(Compare, WrongElementsAreNoFigure) {
  RowSpec wrong{8 << 20, 50, 440};
  wrong.wrong = 3;
  const Compares both(nccl_rows("a", {{8 << 20, 100, 300}}), nccl_rows("b", {wrong}));
  EXPECT_EQ(find(both.comparison, "busbw").judgement, Judgement::kMissing);
  EXPECT_EQ(find(both.comparison, "busbw").reason, "B: 3 wrong elements");
}

/// 912.5 Gbit/s and more through NVLink of 450 GB/s.
TEST(Compare, RowBeyondTheLimitIsImplausible) {
  const Compares both(nccl_rows("a", {{8 << 20, 100, 300}}), nccl_rows("b", {{8 << 20, 25, 1200}}));
  EXPECT_EQ(find(both.comparison, "busbw").judgement, Judgement::kMissing);
  EXPECT_THAT(find(both.comparison, "busbw").reason, HasSubstr("B: IMPLAUSIBLE"));
}

TEST(Compare, GroupsOfASplitAreRowsOfTheirOwn) {
  RowSpec first{8 << 20, 100, 300}, second{8 << 20, 100, 300};
  first.groups = second.groups = 2;
  second.group = 1;
  RowSpec slow = second;
  slow.busbw = 150;
  const Compares both(nccl_rows("a", {first, second}), nccl_rows("b", {first, slow}));
  EXPECT_EQ(both.comparison.items.size(), 2u);
  EXPECT_EQ(find(both.comparison, "busbw", "", "group 0").a.repeats, 1u);
  EXPECT_EQ(find(both.comparison, "busbw", "", "group 0").judgement, Judgement::kSame);
  EXPECT_EQ(find(both.comparison, "busbw", "", "group 1").judgement, Judgement::kSlower);
}

/// One node of one GPU and one of four have the same name, not the same task.
TEST(Compare, OtherNumberOfRanksIsAnotherFigure) {
  const std::vector<RowSpec> rows = {{8 << 20, 100, 300}};
  const Compares both(nccl_side("a", {{Json::object(), rows}}), nccl_side("b", {{Json::object(), rows}}, 8));
  EXPECT_EQ(both.comparison.count(Judgement::kMissing), 2u);
}

TEST(Compare, OtherSettingIsComparedAndSaid) {
  const std::vector<RowSpec> plain = {{8 << 20, 100, 300}};
  const std::vector<RowSpec> fast = {{8 << 20, 80, 375}};
  const Json registered = {{"registration", 2}};
  const Compares both(nccl_side("a", {{Json::object(), plain}}), nccl_side("b", {{registered, fast}}));
  ASSERT_EQ(both.comparison.items.size(), 1u);
  EXPECT_EQ(both.comparison.items[0].judgement, Judgement::kFaster);
  EXPECT_EQ(both.comparison.items[0].variant, "registration 2");
  ASSERT_EQ(both.comparison.facts.size(), 1u);
  EXPECT_EQ(both.comparison.facts[0].fact, "all_reduce: registration");
  EXPECT_EQ(both.comparison.facts[0].a, "–");
  EXPECT_EQ(both.comparison.facts[0].b, "2");
}

/// Where B measured both settings, the equal one is the partner.
TEST(Compare, EqualSettingsArePairedFirst) {
  const std::vector<RowSpec> plain = {{8 << 20, 100, 300}};
  const std::vector<RowSpec> fast = {{8 << 20, 80, 375}};
  const Compares both(nccl_side("a", {{Json::object(), plain}}),
                      nccl_side("b", {{Json{{"registration", 2}}, fast}, {Json::object(), plain}}));
  EXPECT_EQ(both.comparison.count(Judgement::kSame), 1u);
  EXPECT_EQ(both.comparison.count(Judgement::kMissing), 1u);
}

// ---- single GPUs

Side gpu_side(const std::string& name, double gemm, double burn_of_second, double mismatches = 0) {
  SyntheticRun run = start(name, Json::array());
  const std::string id = "ba5e00000001";
  run.add("task_start", {{"phase", "gpu"}, {"label", "gpu on 1 node"}, {"nodes", {"n1"}}, {"world", 2}}, id);
  for (int gpu = 0; gpu < 2; ++gpu) {
    run.add("gpu_bench",
            {{"test", "gemm_bf16"},
             {"gpu", gpu},
             {"shape", "8192x8192x8192"},
             {"metric", "TFLOP/s"},
             {"value", gemm},
             {"median", gemm},
             {"p5", gemm * 0.99},
             {"p95", gemm * 1.01},
             {"runs", 20}},
            id, "n1", gpu);
    for (int second = 0; second < 20; ++second) {
      run.add("burn",
              {{"gpu", gpu},
               {"second", second},
               {"tflops", (gpu == 1 ? burn_of_second : 700) + second % 3},
               {"iterations", 10},
               {"mismatches", gpu == 1 && second >= 5 ? mismatches : 0}},
              id, "n1", gpu);
    }
  }
  run.add("task_end", {{"status", "ok"}}, id);
  return load(run);
}

TEST(Compare, GpusOneByOne) {
  const Compares both(gpu_side("a", 720, 700), gpu_side("b", 721, 600));
  EXPECT_EQ(find(both.comparison, "gemm_bf16", "n1 GPU 0").judgement, Judgement::kSame);
  EXPECT_EQ(find(both.comparison, "gemm_bf16", "n1 GPU 0").note,
            "one repeat a side: only the spread of the runs is known");
  EXPECT_EQ(find(both.comparison, "burn", "n1 GPU 0").judgement, Judgement::kSame);
  EXPECT_EQ(find(both.comparison, "burn", "n1 GPU 1").judgement, Judgement::kSlower);
}

TEST(Compare, ResultsThatDifferVoidTheBurn) {
  const Compares both(gpu_side("a", 720, 700), gpu_side("b", 720, 900, 2));
  EXPECT_EQ(find(both.comparison, "burn", "n1 GPU 1").judgement, Judgement::kMissing);
  EXPECT_EQ(find(both.comparison, "burn", "n1 GPU 1").reason, "B: 2 elements differ from the first result");
}

}  // namespace
}  // namespace sxb::analysis
