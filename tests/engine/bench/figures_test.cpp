// Figures of a size from the times of its ranks.
#include "engine/bench/sweep/sweep_figures.h"

#include <gtest/gtest.h>

#include <numeric>

namespace sxb::engine::bench {
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
  const record::Iterations figures = iteration_statistics({{1, 9, 1, 9}, {9, 1, 9, 1}});
  EXPECT_EQ(figures.count, 4);
  EXPECT_EQ(figures.min_us, 9);
  EXPECT_EQ(figures.mean_us, 9);
  EXPECT_EQ(figures.cv_pct, 0);
}

TEST(Figures, PercentilesAreThoseOfNcclTests) {
  std::vector<double> times(200);
  std::iota(times.rbegin(), times.rend(), 1);  // 200, 199, ..., 1
  const record::Iterations figures = iteration_statistics({times});
  EXPECT_EQ(figures.p50_us, 101);
  EXPECT_EQ(figures.p95_us, 190);
  EXPECT_EQ(figures.p99_us, 198);
  EXPECT_EQ(figures.max_us, 200);
  EXPECT_NEAR(figures.cv_pct.value(), 100 * 57.734 / 100.5, 0.01);
  EXPECT_EQ(iteration_statistics({{7}}).p99_us, 7);
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
  const record::Placement placement = placement_record(c, figures, {3, 7}, 3, false);
  EXPECT_TRUE(placement.times_us.empty());
  EXPECT_TRUE(placement.rank_times_us.empty());
  EXPECT_EQ(placement.slowest_rank, 7);
  EXPECT_EQ(placement.rank_spread_pct, 20);
  EXPECT_EQ(placement.time_us, 100);
  EXPECT_DOUBLE_EQ(placement.algbw_gBps.value(), 10);
  EXPECT_DOUBLE_EQ(placement.busbw_gBps.value(), 10);  // 2 (n - 1) / n = 1
  EXPECT_FALSE(placement.wrong.has_value());
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
  record::Placement placement = placement_record(c, figures, {0, 1}, 3, true);
  EXPECT_EQ(placement.times_us, std::vector<double>({900, 90, 100}))
      << "of the slowest rank, those that -K leaves out too";
  EXPECT_EQ(placement.rank_times_us, figures.iterations);
  EXPECT_EQ(placement.per_iteration.value().count, 2);
  EXPECT_EQ(placement.per_iteration.value().max_us, 100);
  EXPECT_EQ(placement.slowest_rank, 1);
  figures.ranks.resize(1);
  figures.iterations.resize(1);
  figures.skip = 9;
  placement = placement_record(c, figures, {0}, 3, true);
  EXPECT_TRUE(placement.rank_times_us.empty());
  EXPECT_EQ(placement.per_iteration.value().count, 1) << "one is left in any case";
}

}  // namespace
}  // namespace sxb::engine::bench
