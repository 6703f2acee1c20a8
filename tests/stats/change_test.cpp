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
  std::vector<double> values;  // 37 is prime to 101: each once, and neighbours are far apart
  for (int i = 0; i < 101; ++i) values.push_back(i * 37 % 101 + 1);
  const std::optional<Interval> interval = center_interval({Repeat::median_of(values)});
  ASSERT_TRUE(interval);
  EXPECT_NEAR(interval->low, 41, 3);
  EXPECT_NEAR(interval->high, 61, 3);
}

TEST(Change, IntervalOfAnEvenCountHoldsTheMiddleOfItsPair) {
  const std::optional<Interval> interval = center_interval({Repeat::median_of({2, 4, 2, 4})});
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
  EXPECT_GE(coverage(0.05, side(100), side(105)), 0.91);
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

/// Repeats of steps that vary by `within`, while the repeats differ by `between` besides.
auto repeats_of(Draw& draw, std::size_t count, double between, double within) {
  std::vector<Repeat> out;
  for (std::size_t i = 0; i < count; ++i)
    out.push_back(Repeat::median_of(times(draw, 20, 100 * (1 + between * draw.normal()), within)));
  return out;
}

/// The repeats differ by more than their steps tell: why one repeat is said in every reason.
TEST(Change, OneRepeatDoesNotKnowTheSpreadBetweenRepeats) {
  Draw draw(43);
  const auto side = [&] { return repeats_of(draw, 1, 0.02, 0.002); };
  EXPECT_LT(coverage(0, side, side), 0.5);
}

/// 95 % of 1000 intervals, and 2 to 3 % to either side: three binomial standard errors, and up to 1.8 % of
/// Student's quantile that is taken for medians. Whether the repeats differ by their steps alone or by more:
/// what a repeat's steps tell must not be counted twice.
TEST(Change, OfFewRepeatsNineteenOfTwentyIntervalsCoverTheTruth) {
  Draw draw(61);
  constexpr int kDraws = 1000;
  for (const std::size_t count : {2u, 3u, 5u}) {
    for (const double between : {0.0, 0.01, 0.03}) {
      int covered = 0, side_covered = 0;
      for (int i = 0; i < kDraws; ++i) {
        const auto a = repeats_of(draw, count, between, 0.01), b = repeats_of(draw, count, between, 0.01);
        const Change change = relative_change(a, b);
        covered += change.interval->low <= 0 && 0 <= change.interval->high;
        const auto of_a = center_interval(a);
        side_covered += of_a->low <= 100 && 100 <= of_a->high;
      }
      for (const int of : {covered, side_covered}) {
        EXPECT_GE(of, 0.93 * kDraws) << count << " repeats, " << between << " between them";
        EXPECT_LE(of, 0.98 * kDraws) << count << " repeats, " << between << " between them";
      }
    }
  }
}

/// Runs of one build whose repeats differ by half a percent: the intervals are narrow enough to say SAME.
TEST(Change, FewRepeatsOfASteadyMachineAreTheSame) {
  Draw draw(67);
  for (const std::size_t count : {2u, 3u, 5u}) {
    int same = 0;
    for (int i = 0; i < 200; ++i) {
      same += direction(
                  relative_change(repeats_of(draw, count, 0.004, 0.01), repeats_of(draw, count, 0.004, 0.01)),
                  0.03, 0.10) == Direction::kSame;
    }
    EXPECT_GE(same, count == 2 ? 150 : 190) << count;
  }
}

/// A run by itself beside the repeats of another: it varies as they do.
TEST(Change, OneRepeatVariesAsThoseOfTheOtherSideDo) {
  Draw draw(71);
  const auto one = [&] { return repeats_of(draw, 1, 0.02, 0.002); };
  const auto three = [&] { return repeats_of(draw, 3, 0.02, 0.002); };
  EXPECT_GE(coverage(0, one, three), 0.91);
  EXPECT_GE(coverage(0, three, one), 0.91);
}

/// Steps whose work differs by a tenth, the same work on both sides, as packed rows of one dataset are.
TEST(Change, PairedStepsTakeTheirWorkForNoNoise) {
  Draw draw(73);
  int covered = 0, covered_median = 0;
  constexpr int kDraws = 300;
  for (int i = 0; i < kDraws; ++i) {
    std::vector<double> work, a, b;
    for (int k = 0; k < 30; ++k) {
      work.push_back(100 * (1 + 0.1 * draw.normal()));
      a.push_back(work.back() * (1 + 0.005 * draw.normal()));
      b.push_back(work.back() * 1.01 * (1 + 0.005 * draw.normal()));
    }
    const Change paired = paired_change(a, b, StepFigure::kRate, 300);
    const Change median = paired_change(a, b, StepFigure::kMedian, 300);
    EXPECT_LT(paired.interval->high - paired.interval->low, 0.025);  // of rates by themselves: 0.1
    covered += paired.interval->low <= 1 / 1.01 - 1 && 1 / 1.01 - 1 <= paired.interval->high;
    covered_median += median.interval->low <= 0.01 && 0.01 <= median.interval->high;
  }
  EXPECT_GE(covered, 0.91 * kDraws);
  EXPECT_GE(covered_median, 0.91 * kDraws);
}

TEST(Change, PairsThatAreAlikeAreWorthLess) {
  Draw draw(79);
  int covered = 0;
  double worth = 0;
  constexpr int kDraws = 300;
  for (int i = 0; i < kDraws; ++i) {
    const auto a = autoregressive(draw, 100, 0.9, 0.05), b = autoregressive(draw, 100, 0.9, 0.05);
    const Change change = paired_change(a, b, StepFigure::kRate, 300);
    covered += change.interval->low <= 0 && 0 <= change.interval->high;
    worth += *change.worth / kDraws;
  }
  EXPECT_GE(covered, 0.91 * kDraws);
  EXPECT_LT(worth, 15);
}

/// Tokens that differ from step to step by a fifth, and steps that take 10 ms and 1 ms a hundred tokens.
TEST(Change, RateOnTheSameWorkKnowsOnlyTheNoiseOfTheTimes) {
  Draw draw(83);
  std::vector<double> tokens, time;
  for (int i = 0; i < 40; ++i) {
    tokens.push_back(1000 * (0.8 + 0.4 * draw.uniform()));
    time.push_back((10 + 0.01 * tokens.back()) * (1 + 0.002 * draw.normal()));
  }
  const auto same = center_interval({Repeat::rate_on_same_work(tokens, time)});
  const auto other = center_interval({Repeat::rate_of(tokens, time)});
  ASSERT_TRUE(same && other);
  EXPECT_LT(same->high - same->low, 0.003 * Repeat::rate_of(tokens, time).figure);
  EXPECT_GT(other->high - other->low, 5 * (same->high - same->low));
}

TEST(Change, RateOfFewStepsKnowsNoLine) {
  const std::vector<double> tokens = {1000, 800}, time = {20, 18};
  const auto same = center_interval({Repeat::rate_on_same_work(tokens, time)});
  const auto other = center_interval({Repeat::rate_of(tokens, time)});
  ASSERT_TRUE(same && other);
  EXPECT_EQ(same->low, other->low);
  EXPECT_GT(same->high, same->low);
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

/// However narrow the interval of values that are worth so few: no change is one, but no change is none
/// either.
TEST(Change, OfTooFewValuesNothingIsSaidButThatTheyAreTheSame) {
  const auto judge = [](double ratio, double low, double high, double worth) {
    return direction({ratio, Interval{low, high}, worth}, 0.03, 0.10);
  };
  EXPECT_EQ(judge(-0.2, -0.22, -0.18, 4.9), Direction::kUnclear);
  EXPECT_EQ(judge(0.2, 0.18, 0.22, 4.9), Direction::kUnclear);
  EXPECT_EQ(judge(0.2, 0.18, 0.22, 5.1), Direction::kHigher);
  EXPECT_EQ(judge(0.001, -0.01, 0.01, 1), Direction::kSame);
  EXPECT_EQ(judge(0.001, -0.05, 0.05, 1), Direction::kUnclear);
}

TEST(Change, WithoutAnIntervalTheThresholdIsWider) {
  EXPECT_EQ(direction({-0.08, std::nullopt}, 0.03, 0.10), Direction::kSame);
  EXPECT_EQ(direction({-0.12, std::nullopt}, 0.03, 0.10), Direction::kLower);
  EXPECT_EQ(direction({0.12, std::nullopt}, 0.03, 0.10), Direction::kHigher);
}

/// At no true change and 2 % of noise over 30 steps, a 3 % threshold must not cry wolf, and seldom says
/// nothing.
TEST(Change, FalseAlarmsAreRare) {
  Draw draw(53);
  int apart = 0, same = 0;
  for (int i = 0; i < 200; ++i) {
    const Change change = relative_change({Repeat::median_of(times(draw, 30, 100, 0.02))},
                                          {Repeat::median_of(times(draw, 30, 100, 0.02))}, 200);
    const Direction found = direction(change, 0.03, 0.10);
    apart += found == Direction::kHigher || found == Direction::kLower;
    same += found == Direction::kSame;
  }
  EXPECT_LE(apart, 2);
  EXPECT_GE(same, 180);
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
