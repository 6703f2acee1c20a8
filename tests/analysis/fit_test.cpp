// Known latency and bandwidth come back out of sweeps made with them, noise, outliers and ramp included.
#include "analysis/model/latency_bandwidth_fit.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <random>
#include <sstream>

namespace sxb::analysis {
namespace {

/// 8 B to 8 GiB in powers of two.
std::vector<SweepPoint> sweep(double alpha_us, double gBps, double ramp_us, double noise, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<double> normal(0, 1);
  std::vector<SweepPoint> points;
  for (int power = 3; power <= 33; ++power) {
    const double size = std::ldexp(1, power);
    const double time = alpha_us + ramp_us * std::sqrt(size / 1048576) + size / (gBps * 1e3);
    points.push_back({size, time * std::exp(noise * normal(generator))});
  }
  return points;
}

TEST(Fit, WithoutNoiseTheValuesComeBackExactly) {
  const auto plain = fit_sweep(sweep(12, 240, 0, 0, 1));
  ASSERT_TRUE(plain);
  EXPECT_NEAR(plain->alpha_us, 12, 1e-6);
  EXPECT_NEAR(plain->algbw_gBps, 240, 1e-3);
  EXPECT_NEAR(plain->ramp_us, 0, 1e-3);
  const auto ramped = fit_sweep(sweep(12, 240, 6, 0, 1));
  EXPECT_NEAR(ramped->alpha_us, 12, 1e-6);
  EXPECT_NEAR(ramped->algbw_gBps, 240, 1e-3);
  EXPECT_NEAR(ramped->ramp_us, 6, 1e-6);
  EXPECT_NEAR(ramped->time_us(1 << 20), 12 + 6 + 1048.576 / 240, 1e-6);
}

TEST(Fit, NoiseMovesTheValuesLittle) {
  for (const unsigned seed : {1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u}) {
    const auto fit = fit_sweep(sweep(12, 240, 6, 0.02, seed));
    ASSERT_TRUE(fit);
    EXPECT_NEAR(fit->alpha_us, 12, 0.6) << seed;
    EXPECT_NEAR(fit->algbw_gBps, 240, 12) << seed;
    EXPECT_LT(fit->scatter, 0.04) << seed;
  }
}

// One size five times too slow (a retransmission), one three times, and the largest half as fast.
TEST(Fit, OutliersPullNothingAndAreNamed) {
  std::vector<SweepPoint> points = sweep(12, 240, 6, 0.01, 3);
  points[4].time_us *= 3;
  points[20].time_us *= 5;
  points[30].time_us *= 2;
  const auto fit = fit_sweep(points);
  ASSERT_TRUE(fit);
  EXPECT_NEAR(fit->alpha_us, 12, 0.4);
  EXPECT_NEAR(fit->algbw_gBps, 240, 8);
  for (std::size_t i = 0; i < points.size(); ++i)
    EXPECT_EQ(fit->outlier[i], i == 4 || i == 20 || i == 30) << i;
}

TEST(Fit, TooLittleToFitIsNoFit) {
  const std::vector<SweepPoint> all = sweep(12, 240, 0, 0, 1);
  EXPECT_FALSE(fit_sweep(std::span(all).subspan(0, 4)));
  EXPECT_FALSE(fit_sweep(std::span(all).subspan(0, 6)));  // 8 B to 256 B: no span
  EXPECT_FALSE(fit_sweep({}));
  std::vector<SweepPoint> zero = all;
  zero[0].size_bytes = 0;
  EXPECT_FALSE(fit_sweep(zero));
  // Time that does not grow with size: latency only, no bandwidth.
  std::vector<SweepPoint> flat;
  for (int power = 3; power < 12; ++power) flat.push_back({std::ldexp(1, power), 10 - 0.1 * power});
  EXPECT_FALSE(fit_sweep(flat));
}

// nccl-tests' own output of 4 x H200 (tests/fixtures/nccl-tests): the ring share of NVLink is in it, 369 =
// 0.82 x 450.
TEST(Fit, ARealSweep) {
  std::ifstream file(SXB_TEST_DATA "/nccl-tests/all_reduce-4xh200.txt");
  std::vector<SweepPoint> points;
  for (std::string line; std::getline(file, line);) {
    std::istringstream cells(line);
    double size = 0, time = 0;
    std::string count, type, op, root;
    if (cells >> size >> count >> type >> op >> root >> time) points.push_back({size, time});
  }
  ASSERT_GT(points.size(), 10u);
  const auto fit = fit_sweep(points);
  ASSERT_TRUE(fit);
  EXPECT_NEAR(fit->algbw_gBps * 1.5, 369, 369 * 0.04);
  EXPECT_GT(fit->alpha_us, 6);
  EXPECT_LT(fit->alpha_us, 12);
  for (const SweepPoint& point : points)
    EXPECT_NEAR(fit->time_us(point.size_bytes) / point.time_us, 1, 0.3) << point.size_bytes;
}

}  // namespace
}  // namespace sxb::analysis
