// Steps that are not independent: what they are worth, and that two runs of one build are not called apart
// for that.
#include "stats/dependence.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numeric>
#include <vector>

#include "random_values.h"
#include "stats/change.h"

namespace sxb::stats {
namespace {

using Steps = std::function<std::vector<double>(Draw&, int count)>;

constexpr int kLengths[] = {20, 40, 100, 300, 700};
constexpr double kThreshold = 0.03;
constexpr int kResamples = 200;

double mean_worth(const Steps& steps, int count) {
  Draw draw(3);
  double sum = 0;
  for (int i = 0; i < 200; ++i) sum += independent_count(steps(draw, count));
  return sum / 200;
}

TEST(IndependentCount, OfIndependentValuesIsNearlyTheirNumber) {
  const Steps independent = [](Draw& draw, int count) { return autoregressive(draw, count, 0, 0.02); };
  EXPECT_GT(mean_worth(independent, 40), 0.5 * 40);
  EXPECT_GT(mean_worth(independent, 700), 0.8 * 700);
}

/// (1 - r) / (1 + r) of them.
TEST(IndependentCount, OfAutoregressiveValuesIsTheirShare) {
  for (const double r : {0.5, 0.9}) {
    const double truth = (1 - r) / (1 + r) * 5000;
    const double worth =
        mean_worth([r](Draw& draw, int count) { return autoregressive(draw, count, r, 0.02); }, 5000);
    EXPECT_GT(worth, 0.7 * truth) << r;
    EXPECT_LT(worth, 1.1 * truth) << r;
  }
}

TEST(IndependentCount, OfADriftIsLessThanTwo) {
  std::vector<double> drift(50);
  std::iota(drift.begin(), drift.end(), 100.0);
  EXPECT_LT(independent_count(drift), 2);
}

TEST(IndependentCount, OfEqualValuesAndOfAlternatingOnesIsTheirNumber) {
  EXPECT_EQ(independent_count(std::vector<double>(12, 7.0)), 12);
  std::vector<double> alternating;
  for (int i = 0; i < 12; ++i) alternating.push_back(i % 2);
  EXPECT_EQ(independent_count(alternating), 12);
}

/// Both figures of a run, as reports and comparisons state them.
std::vector<Repeat> figure_of(std::vector<double> times, StepFigure figure) {
  if (figure == StepFigure::kMedian) return {Repeat::median_of(std::move(times))};
  const std::vector<double> tokens(times.size(), 1000);
  return {Repeat::rate_on_same_work(tokens, times)};
}

/// How many pairs are called apart: kHigher or kLower.
int apart_of(const Steps& of_a, const Steps& of_b, int count, StepFigure figure, int pairs) {
  Draw draw(static_cast<std::uint64_t>(count));
  int apart = 0;
  for (int i = 0; i < pairs; ++i) {
    const auto a = figure_of(of_a(draw, count), figure);
    const auto b = figure_of(of_b(draw, count), figure);
    const Direction found = direction(relative_change(a, b, kResamples), kThreshold, 0.10);
    apart += found == Direction::kHigher || found == Direction::kLower;
  }
  return apart;
}

/// Of 400 pairs of runs of one process at most 5 % are called apart at each length, of which 7.2 % may come
/// out by chance (two binomial standard errors); over all lengths 6 %.
void expect_few_false_alarms(const char* name, const Steps& steps) {
  constexpr int kPairs = 400;
  for (const StepFigure figure : {StepFigure::kRate, StepFigure::kMedian}) {
    int all = 0;
    for (const int count : kLengths) {
      const int apart = apart_of(steps, steps, count, figure, kPairs);
      EXPECT_LE(apart, 0.072 * kPairs) << name << ", " << count << " steps";
      all += apart;
    }
    EXPECT_LE(all, 0.06 * kPairs * std::size(kLengths)) << name;
  }
}

TEST(FalseAlarms, AreRareWhereStepsAreAutocorrelated) {
  for (const double r : {0.5, 0.9})
    expect_few_false_alarms("AR(1)",
                            [r](Draw& draw, int count) { return autoregressive(draw, count, r, 0.05); });
}

/// Phases that end within a run. One that lasts longer shows in no step of it, as another machine would not.
TEST(FalseAlarms, AreRareWhereStepsAreSlowInBursts) {
  for (const Bursts& like : {Bursts{20, 5, 0.2, 0.01}, Bursts{40, 10, 0.2, 0.01}, Bursts{10, 10, 0.1, 0.02}})
    expect_few_false_alarms("bursts", [like](Draw& draw, int count) { return bursty(draw, count, like); });
}

TEST(FalseAlarms, AreRareWhereStepsAreIndependent) {
  expect_few_false_alarms("independent",
                          [](Draw& draw, int count) { return autoregressive(draw, count, 0, 0.05); });
}

/// What the caution costs: a change of 3.5 to 5 % in independent steps is still found.
TEST(Power, RealChangesOfIndependentStepsAreFound) {
  struct Setting {
    int steps;
    double noise, change, least;
  };
  constexpr int kPairs = 200;
  for (const Setting& s :
       {Setting{20, 0.005, 0.04, 0.8}, Setting{20, 0.01, 0.05, 0.8}, Setting{40, 0.02, 0.05, 0.9},
        Setting{100, 0.02, 0.04, 0.9}, Setting{700, 0.02, 0.035, 0.95}}) {
    const Steps before = [&](Draw& draw, int count) { return autoregressive(draw, count, 0, s.noise); };
    const Steps after = [&](Draw& draw, int count) {
      std::vector<double> times = before(draw, count);
      for (double& time : times) time *= 1 + s.change;
      return times;
    };
    for (const StepFigure figure : {StepFigure::kRate, StepFigure::kMedian}) {
      EXPECT_GE(apart_of(before, after, s.steps, figure, kPairs), s.least * kPairs)
          << s.steps << " steps, noise " << s.noise;
    }
  }
}

}  // namespace
}  // namespace sxb::stats
