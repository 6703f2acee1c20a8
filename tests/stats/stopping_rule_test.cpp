#include "stats/stopping_rule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "random_values.h"
#include "stats/stats.h"

namespace sxb::stats {
namespace {

StoppingRule feed(StoppingRule rule, auto next) {
  for (int i = 0; i < 100'000 && !rule.done(); ++i) rule.add(next());
  return rule;
}

TEST(StoppingRule, StopsAtTheFirstChanceWhenQuiet) {
  const StoppingRule rule = feed(StoppingRule(), [] { return 10.0; });
  EXPECT_EQ(rule.why(), StopReason::kQuiet);
  EXPECT_EQ(rule.count(), 10u);
  EXPECT_EQ(rule.noise(), 0);
}

TEST(StoppingRule, MinTimeHoldsAQuietMeasurementOpen) {
  StoppingBounds bounds;
  bounds.min_time = 500;
  EXPECT_EQ(feed(StoppingRule(bounds), [] { return 10.0; }).count(), 50u);
}

/// Normal noise of 5 %: never quiet, yet the estimate itself stops moving.
TEST(StoppingRule, StopsWhenTheNoiseHasSettled) {
  Draw draw(3);
  const StoppingRule rule = feed(StoppingRule(), [&] { return 100 + 5 * draw.normal(); });
  EXPECT_EQ(rule.why(), StopReason::kSettled);
  EXPECT_GE(rule.count(), 64u);
  EXPECT_LT(rule.count(), 1000u);
  EXPECT_NEAR(rule.noise(), 0.05, 0.015);
}

/// Noise that keeps growing has not settled: only the bound ends it.
TEST(StoppingRule, GrowingNoiseRunsIntoTheBoundOfCount) {
  StoppingBounds bounds;
  bounds.max_count = 200;
  bounds.quiet_noise = 0.001;
  Draw draw(5);
  double spread = 2;
  const StoppingRule rule =
      feed(StoppingRule(bounds), [&] { return 100 + (spread *= 1.02) * (draw.uniform() - 0.5); });
  EXPECT_EQ(rule.why(), StopReason::kCount);
  EXPECT_EQ(rule.count(), 200u);
}

TEST(StoppingRule, TimeBoundsTheSumButNotBelowMinCount) {
  StoppingBounds bounds;
  bounds.max_time = 450;
  Draw draw(11);
  const auto noisy = [&] { return 100 + 20 * draw.uniform(); };
  const StoppingRule few = feed(StoppingRule(bounds), noisy);
  EXPECT_EQ(few.why(), StopReason::kTime);
  EXPECT_EQ(few.count(), 10u);  // min_count, though five passed the bound
  bounds.max_time = 2000;
  const StoppingRule more = feed(StoppingRule(bounds), noisy);
  EXPECT_EQ(more.why(), StopReason::kTime);
  EXPECT_GT(more.count(), 10u);
  EXPECT_LE(more.count(), 20u);
}

TEST(StoppingRule, CountBoundsEvenBelowMinCount) {
  StoppingBounds bounds;
  bounds.max_count = 3;
  Draw draw(1);
  const StoppingRule rule = feed(StoppingRule(bounds), [&] { return 1 + draw.uniform(); });
  EXPECT_EQ(rule.why(), StopReason::kCount);
  EXPECT_EQ(rule.count(), 3u);
}

/// One slow iteration in ten must not keep a quiet measurement running, as it would with a deviation.
TEST(StoppingRule, OutliersDoNotCountAsNoise) {
  int i = 0;
  const StoppingRule rule = feed(StoppingRule(), [&] { return ++i % 10 == 3 ? 50.0 : 10.0; });
  EXPECT_EQ(rule.why(), StopReason::kQuiet);
  EXPECT_EQ(rule.count(), 10u);
}

TEST(StoppingRule, ReasonStaysOnceDone) {
  StoppingRule rule = feed(StoppingRule(), [] { return 10.0; });
  rule.add(1000);
  rule.add(1);
  EXPECT_EQ(rule.why(), StopReason::kQuiet);
  EXPECT_STREQ(to_string(rule.why()), "quiet");
}

/// The incremental noise is the one that the reports print.
TEST(StoppingRule, NoiseEqualsTheMadOfAllValues) {
  Draw draw(17);
  StoppingRule rule;
  std::vector<double> values;
  for (int i = 0; i < 200; ++i) {
    values.push_back(1 + std::floor(draw.uniform() * 50) / 7);  // ties included
    rule.add(values.back());
    EXPECT_NEAR(rule.noise(), kMadToSigma * mad(values) / median(values), 1e-12) << i;
  }
}

}  // namespace
}  // namespace sxb::stats
