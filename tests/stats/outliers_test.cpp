#include "stats/outliers.h"

#include <gtest/gtest.h>

#include <vector>

#include "random_values.h"

namespace sxb::stats {
namespace {

TEST(Outliers, MarksBothSidesWithTheirSeverity) {
  // Median 100, MAD 1: sigma 1.4826. 108 is 5.4 sigma and 8 % off; 80 is 13.5 sigma and 20 % off.
  const std::vector<double> values = {99, 100, 101, 108, 99, 101, 100, 98, 102, 80, 100};
  const std::vector<Outlier> marked = mark_outliers(values);
  ASSERT_EQ(marked.size(), 2u);
  EXPECT_EQ(marked[0].index, 3u);
  EXPECT_NEAR(marked[0].deviation, 0.08, 1e-12);
  EXPECT_NEAR(marked[0].sigmas, 8 / 1.4826, 1e-3);
  EXPECT_EQ(marked[0].severity, Severity::kLow);
  EXPECT_EQ(marked[1].index, 9u);
  EXPECT_NEAR(marked[1].deviation, -0.2, 1e-12);
  EXPECT_EQ(marked[1].severity, Severity::kHigh);
}

/// Far outside the spread, and yet too little to matter.
TEST(Outliers, EffectGuardKeepsAQuietGpuUnmarked) {
  EXPECT_TRUE(mark_outliers(std::vector<double>{100.0, 100.1, 99.9, 100, 100.1, 99.9, 100, 104}).empty());
  EXPECT_EQ(mark_outliers(std::vector<double>{100.0, 100.1, 99.9, 100, 100.1, 99.9, 100, 106}).size(), 1u);
}

/// Large, but so are the others.
TEST(Outliers, SpreadGuardKeepsNoisyValuesUnmarked) {
  EXPECT_TRUE(mark_outliers(std::vector<double>{80.0, 120, 90, 110, 100, 85, 115, 130}).empty());
}

/// Where most values are equal the MAD is zero: the floor stands in, nothing divides by it.
TEST(Outliers, EqualValuesWithOneSlow) {
  const std::vector<Outlier> marked = mark_outliers(std::vector<double>{7.0, 7, 7, 7, 7, 7, 7, 14});
  ASSERT_EQ(marked.size(), 1u);
  EXPECT_NEAR(marked[0].sigmas, 1 / 0.005, 1e-9);
  EXPECT_TRUE(mark_outliers(std::vector<double>(20, 7.0)).empty());
}

TEST(Outliers, FewValuesShowNoSpreadToStandOffFrom) {
  const std::vector<double> four = {700, 700, 700, 400};
  EXPECT_TRUE(mark_outliers(four).empty());
  OutlierRule rule;
  rule.min_count = 4;
  EXPECT_EQ(mark_outliers(four, rule).size(), 1u);
  EXPECT_TRUE(mark_outliers({}).empty());
  EXPECT_TRUE(mark_outliers(std::vector<double>(9, 0.0)).empty());
}

/// Of normal values beyond 3.5 sigma are 0.05 %; with the MAD's own error a few more.
TEST(Outliers, FewOfNormalValuesAreMarked) {
  Draw draw(23);
  std::size_t marked = 0;
  for (int sample = 0; sample < 100; ++sample) {
    std::vector<double> values;
    for (int i = 0; i < 200; ++i) values.push_back(100 + 5 * draw.normal());
    marked += mark_outliers(values).size();
  }
  EXPECT_GT(marked, 0u);
  EXPECT_LT(marked, 60u);  // of 20,000
}

}  // namespace
}  // namespace sxb::stats
