#include "stats/stats.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

namespace sxb::stats {
namespace {

TEST(Stats, MedianOfOddAndEvenCounts) {
  EXPECT_DOUBLE_EQ(median(std::array{3.0, 1.0, 2.0}), 2.0);
  EXPECT_DOUBLE_EQ(median(std::array{4.0, 1.0, 3.0, 2.0}), 2.5);
  EXPECT_DOUBLE_EQ(median(std::array{7.0}), 7.0);
}

// By hand: sorted 10 20 30 40 50, position (5-1)*0.05 = 0.2 -> 10 + 0.2*10; 4*0.95 = 3.8 -> 40 + 0.8*10.
TEST(Stats, QuantilesAreType7) {
  const std::array values{50.0, 10.0, 40.0, 20.0, 30.0};
  EXPECT_DOUBLE_EQ(quantile(values, 0.05), 12.0);
  EXPECT_DOUBLE_EQ(quantile(values, 0.95), 48.0);
  EXPECT_DOUBLE_EQ(quantile(values, 0.0), 10.0);
  EXPECT_DOUBLE_EQ(quantile(values, 1.0), 50.0);
  EXPECT_DOUBLE_EQ(quantile(values, 0.5), median(values));
}

TEST(Stats, Mean) { EXPECT_DOUBLE_EQ(mean(std::array{1.0, 2.0, 6.0}), 3.0); }

// By hand: median 2, deviations 1 1 0 0 2 4 7 -> sorted 0 0 1 1 2 4 7 -> 1 (the textbook example).
TEST(Stats, MadOfTheTextbookExample) {
  EXPECT_DOUBLE_EQ(mad(std::array{1.0, 1.0, 2.0, 2.0, 4.0, 6.0, 9.0}), 1.0);
  EXPECT_DOUBLE_EQ(mad(std::array{5.0, 5.0, 5.0}), 0.0);
}

TEST(Stats, SummaryHoldsItsParts) {
  const std::array values{50.0, 10.0, 40.0, 20.0, 30.0};
  const Summary summary = summarize(values);
  EXPECT_EQ(summary.count, 5u);
  EXPECT_DOUBLE_EQ(summary.median, 30.0);
  EXPECT_DOUBLE_EQ(summary.p5, 12.0);
  EXPECT_DOUBLE_EQ(summary.p95, 48.0);
  EXPECT_DOUBLE_EQ(summary.mad, 10.0);
}

}  // namespace
}  // namespace sxb::stats
