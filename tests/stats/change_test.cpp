#include "stats/change.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "random_values.h"
#include "stats/stability.h"

namespace sxb::stats {
namespace {

std::vector<double> times(Draw& draw, int count, double median, double noise) {
  std::vector<double> values;
  for (int i = 0; i < count; ++i) values.push_back(median * (1 + noise * draw.normal()));
  return values;
}

/// Share of 300 comparisons whose interval holds the true change.
double coverage(double truth, auto make_side_a, auto make_side_b) {
  int covered = 0;
  constexpr int kDraws = 300;
  for (int i = 0; i < kDraws; ++i) {
    const Change change = relative_change(make_side_a(), make_side_b(), 300);
    covered += change.interval->low <= truth && truth <= change.interval->high;
  }
  return static_cast<double>(covered) / kDraws;
}

TEST(Change, IsTheRatioOfTheMedians) {
  const Change change = relative_change({Repeat::alone(100), Repeat::alone(104), Repeat::alone(90)},
                                        {Repeat::alone(96), Repeat::alone(95), Repeat::alone(99)});
  EXPECT_NEAR(change.ratio, -0.04, 1e-12);
  ASSERT_TRUE(change.interval);
  EXPECT_LT(change.interval->low, -0.04);
  EXPECT_GT(change.interval->high, -0.04);
}

TEST(Change, OneValueASideHasNoInterval) {
  EXPECT_FALSE(relative_change({Repeat::alone(100)}, {Repeat::median_of({96})}).interval);
  EXPECT_TRUE(relative_change({Repeat::alone(100)}, {Repeat::median_of({96, 97})}).interval);
}

TEST(Change, SameValuesGiveTheSameInterval) {
  Draw draw(1);
  const std::vector<double> a = times(draw, 30, 100, 0.02);
  const std::vector<double> b = times(draw, 30, 103, 0.02);
  const Change first = relative_change({Repeat::median_of(a)}, {Repeat::median_of(b)});
  const Change again = relative_change({Repeat::median_of(a)}, {Repeat::median_of(b)});
  EXPECT_EQ(first.interval->low, again.interval->low);
  EXPECT_EQ(first.interval->high, again.interval->high);
}

/// Order statistics give 41 to 61 for the exact 95 % interval of the median of 101 values.
TEST(Change, IntervalOfAMedianIsThatOfItsOrderStatistics) {
  std::vector<double> values;
  for (int i = 101; i >= 1; --i) values.push_back(i);
  const std::optional<Interval> interval = center_interval({Repeat::median_of(values)});
  ASSERT_TRUE(interval);
  EXPECT_NEAR(interval->low, 41, 3);
  EXPECT_NEAR(interval->high, 61, 3);
}

TEST(Change, IntervalOfAnEvenCountHoldsTheMiddleOfItsPair) {
  const std::optional<Interval> interval = center_interval({Repeat::median_of({2, 2, 4, 4})});
  ASSERT_TRUE(interval);
  EXPECT_LT(interval->low, 2.1);  // half of the resamples hold one value only
  EXPECT_GT(interval->high, 3.9);
}

/// Log-normal deviations of 3 % and 4 % add to 5 %.
TEST(Change, OfTwoStandardErrorsTheIntervalIsTheFormulas) {
  const Change change = relative_change({Repeat::summarized(100, 3)}, {Repeat::summarized(200, 8)});
  ASSERT_TRUE(change.interval);
  EXPECT_DOUBLE_EQ(change.interval->low, 2 * std::exp(-1.960 * 0.05) - 1);
  EXPECT_DOUBLE_EQ(change.interval->high, 2 * std::exp(1.960 * 0.05) - 1);
}

/// The formula and the resamples agree: values that resample as a standard error of 2 % does, beside one.
TEST(Change, ResamplesAgreeWithTheFormula) {
  const std::vector<Repeat> formula = {Repeat::summarized(100, 2)};
  std::vector<Repeat> drawn = formula;
  drawn.front().redraw = [](Generator& generator) {
    double sum = 0;  // of twelve uniform numbers: variance 1
    for (int i = 0; i < 12; ++i) sum += static_cast<double>(generator() >> 11) * 0x1.0p-53;
    return 0.02 * (sum - 6);
  };
  const Change exact = relative_change(formula, formula);
  const Change mixed = relative_change(formula, drawn);
  EXPECT_NEAR(mixed.interval->low, exact.interval->low, 0.006);  // three errors of a quantile of 1000
  EXPECT_NEAR(mixed.interval->high, exact.interval->high, 0.006);
}

TEST(Change, RateIsWorkOverTime) {
  const Repeat repeat = Repeat::rate_of({10, 30}, {1, 4});
  EXPECT_DOUBLE_EQ(repeat.figure, 8);  // 40 / 5, not the mean of 10 and 7.5
}

/// 95 % wanted; three standard errors of 300 draws are 3.8 %.
TEST(Change, IntervalOfStepTimesCoversTheTruth) {
  Draw draw(31);
  const auto side = [&](double median) {
    return [&draw, median] { return std::vector{Repeat::median_of(times(draw, 40, median, 0.03))}; };
  };
  const double share = coverage(0.05, side(100), side(105));
  EXPECT_GE(share, 0.91);
  EXPECT_LT(share, 1);
}

/// A floor and a long tail, as latencies have; the median of 1 + 0.1 Exp(1) is 1 + 0.1 ln 2.
TEST(Change, IntervalOfSkewedTimesCoversTheTruth) {
  Draw draw(37);
  const auto side = [&](double scale) {
    return [&draw, scale] {
      std::vector<double> values;
      for (int i = 0; i < 40; ++i) values.push_back(scale * (1 + 0.1 * draw.exponential()));
      return std::vector{Repeat::median_of(values)};
    };
  };
  EXPECT_GE(coverage(-0.02, side(1), side(0.98)), 0.91);
}

TEST(Change, IntervalOfRatesCoversTheTruth) {
  Draw draw(41);
  const auto side = [&](double rate) {
    return [&draw, rate] {
      std::vector<double> work, time;
      for (int i = 0; i < 30; ++i) {
        work.push_back(1000 + 500 * draw.uniform());
        time.push_back(work.back() / rate * (1 + 0.02 * draw.normal()));
      }
      return std::vector{Repeat::rate_of(work, time)};
    };
  };
  EXPECT_GE(coverage(0, side(500), side(500)), 0.91);
}

/// The repeats differ by more than their steps tell: only the second level knows.
TEST(Change, FewRepeatsKnowTheSpreadBetweenThem) {
  Draw draw(43);
  const auto side = [&](std::size_t repeats) {
    return [&draw, repeats] {
      std::vector<Repeat> out;
      for (std::size_t i = 0; i < repeats; ++i) {
        out.push_back(Repeat::median_of(times(draw, 20, 100 * (1 + 0.02 * draw.normal()), 0.002)));
      }
      return out;
    };
  };
  EXPECT_LT(coverage(0, side(1), side(1)), 0.5);  // why one repeat is said in every reason
  EXPECT_GE(coverage(0, side(3), side(3)), 0.91);
  EXPECT_GE(coverage(0, side(5), side(5)), 0.91);
}

TEST(Change, SummarizedRepeatsUseTheirStandardError) {
  Draw draw(47);
  const auto side = [&] { return std::vector{Repeat::summarized(100 * (1 + 0.01 * draw.normal()), 1)}; };
  const double share = coverage(0, side, side);
  EXPECT_GE(share, 0.91);
  EXPECT_LT(share, 0.99);
}

TEST(Change, IntervalOfOneSideCoversTheTruth) {
  Draw draw(59);
  int covered = 0;
  constexpr int kDraws = 300;
  for (int i = 0; i < kDraws; ++i) {
    std::vector<Repeat> repeats;
    for (int k = 0; k < 3; ++k) {
      repeats.push_back(Repeat::median_of(times(draw, 20, 100 * (1 + 0.01 * draw.normal()), 0.01)));
    }
    const std::optional<Interval> interval = center_interval(repeats, 300);
    covered += interval->low <= 100 && 100 <= interval->high;
  }
  EXPECT_GE(covered, kDraws * 0.91);
  EXPECT_FALSE(center_interval({Repeat::alone(100)}));
}

TEST(Change, DirectionNeedsBothSizeAndCertainty) {
  const auto judge = [](double ratio, double low, double high) {
    return direction({ratio, Interval{low, high}}, 0.03, 0.10);
  };
  EXPECT_EQ(judge(-0.041, -0.046, -0.035), Direction::kLower);
  EXPECT_EQ(judge(0.041, 0.035, 0.046), Direction::kHigher);
  EXPECT_EQ(judge(0.02, 0.015, 0.025), Direction::kSame);      // certain, but too small
  EXPECT_EQ(judge(-0.041, -0.09, 0.01), Direction::kUnclear);  // large, but may be nothing
  EXPECT_EQ(judge(0.001, -0.05, 0.05), Direction::kUnclear);   // nothing seen, but 4 % would hide in it
  EXPECT_EQ(judge(0.0, -0.01, 0.01), Direction::kSame);
}

TEST(Change, WithoutAnIntervalTheThresholdIsWider) {
  EXPECT_EQ(direction({-0.08, std::nullopt}, 0.03, 0.10), Direction::kSame);
  EXPECT_EQ(direction({-0.12, std::nullopt}, 0.03, 0.10), Direction::kLower);
  EXPECT_EQ(direction({0.12, std::nullopt}, 0.03, 0.10), Direction::kHigher);
}

/// At no true change and 2 % of noise over 30 steps, a 3 % threshold must not cry wolf.
TEST(Change, FalseAlarmsAreRare) {
  Draw draw(53);
  int changed = 0;
  for (int i = 0; i < 200; ++i) {
    const Change change = relative_change({Repeat::median_of(times(draw, 30, 100, 0.02))},
                                          {Repeat::median_of(times(draw, 30, 100, 0.02))}, 200);
    changed += direction(change, 0.03, 0.10) != Direction::kSame;
  }
  EXPECT_LE(changed, 2);
}

TEST(Stability, EitherSpreadMakesAFigureUnstable) {
  EXPECT_FALSE(unstable({}));
  EXPECT_FALSE(unstable({0.05, 0.05}));
  EXPECT_TRUE(unstable({0.051, std::nullopt}));
  EXPECT_TRUE(unstable({std::nullopt, 0.051}));
  EXPECT_EQ((Spread{0.02, 0.03}.largest()), 0.03);
}

}  // namespace
}  // namespace sxb::stats
