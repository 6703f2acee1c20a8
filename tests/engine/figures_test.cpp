// Figures of a size from the times of its ranks.
#include "engine/bench/sweep/sweep_figures.h"

#include <gtest/gtest.h>

#include <numeric>

namespace sxb::engine {
namespace {

TEST(Figures, TheTimesOfTheRanksAreCombinedAsAsked) {
  const std::vector<double> times = {5, 1, 3};
  EXPECT_EQ(combine_times(times, 0), 5);
  EXPECT_EQ(combine_times(times, 1), 3);
  EXPECT_EQ(combine_times(times, 2), 1);
  EXPECT_EQ(combine_times(times, 3), 5);
}

TEST(Figures, AnIterationIsAsSlowAsItsSlowestRank) {
  // Rank 0 is slow in the odd ones, rank 1 in the even ones: the mean of neither shows it.
  const Json json = iteration_statistics({{1, 9, 1, 9}, {9, 1, 9, 1}});
  EXPECT_EQ(json["count"], 4);
  EXPECT_EQ(json["min_us"], 9);
  EXPECT_EQ(json["mean_us"], 9);
  EXPECT_EQ(json["cv_pct"], 0);
}

TEST(Figures, PercentilesAreThoseOfNcclTests) {
  std::vector<double> times(200);
  std::iota(times.rbegin(), times.rend(), 1);  // 200, 199, ..., 1
  const Json json = iteration_statistics({times});
  EXPECT_EQ(json["p50_us"], 101);
  EXPECT_EQ(json["p95_us"], 190);
  EXPECT_EQ(json["p99_us"], 198);
  EXPECT_EQ(json["max_us"], 200);
  EXPECT_NEAR(json["cv_pct"].get<double>(), 100 * 57.734 / 100.5, 0.01);
  EXPECT_EQ(iteration_statistics({{7}})["p99_us"], 7);
}

TEST(Figures, NamesTheSlowestRankOfTheWorld) {
  Case c;
  c.collective = &find_collective("all_reduce");
  c.layout = c.collective->layout({1'000'000, 2, 4});
  PlacementFigures figures;
  figures.ranks.resize(2);
  figures.ranks[0].time_us = 100;
  figures.ranks[1].time_us = 80;
  figures.iterations = {{90, 70}, {100, 100}};
  const Json json = placement_json(c, figures, {3, 7}, 3, false);
  EXPECT_FALSE(json.contains("times_us"));
  EXPECT_FALSE(json.contains("rank_times_us"));
  EXPECT_EQ(json["slowest_rank"], 7);
  EXPECT_EQ(json["rank_spread_pct"], 20);
  EXPECT_EQ(json["time_us"], 100);
  EXPECT_DOUBLE_EQ(json["algbw_gBps"].get<double>(), 10);
  EXPECT_DOUBLE_EQ(json["busbw_gBps"].get<double>(), 10);  // 2 (n - 1) / n = 1
  EXPECT_TRUE(json["wrong"].is_null());
  EXPECT_FALSE(first_wrong(c, figures, {3, 7}));
}

TEST(Figures, KeepEveryTimeOnDemand) {
  Case c;
  c.collective = &find_collective("all_reduce");
  c.layout = c.collective->layout({1024, 2, 4});
  PlacementFigures figures;
  figures.ranks.resize(2);
  figures.iterations = {{900, 90, 70}, {100, 80, 100}};
  figures.skip = 1;
  Json json = placement_json(c, figures, {0, 1}, 3, true);
  EXPECT_EQ(json["times_us"], Json({900, 90, 100})) << "of the slowest rank, those that -K leaves out too";
  EXPECT_EQ(json["rank_times_us"], Json({{900, 90, 70}, {100, 80, 100}}));
  EXPECT_EQ(json["per_iteration"]["count"], 2);
  EXPECT_EQ(json["per_iteration"]["max_us"], 100);
  EXPECT_EQ(json["slowest_rank"], 1);
  figures.ranks.resize(1);
  figures.iterations.resize(1);
  figures.skip = 9;
  json = placement_json(c, figures, {0}, 3, true);
  EXPECT_FALSE(json.contains("rank_times_us"));
  EXPECT_EQ(json["per_iteration"]["count"], 1) << "one is left in any case";
}

}  // namespace
}  // namespace sxb::engine
