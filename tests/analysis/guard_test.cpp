// Figures against the speed of light, limits worked out by hand from configs/hardware.
#include "analysis/guard/guard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/guard/nic_rates.h"
#include "analysis/read/counter_rate.h"
#include "support/hardware_facts.h"
#include "support/synthetic_run.h"

namespace sxb::analysis {
namespace {

using testing::scratch;
using testing::SyntheticRun;

// 7B on 64 H200 at 2,048 tokens: 6 x 6.74e9 x 2048 = 82.8 TFLOP a sample; 64 x 989.4 TFLOP/s do at most 764.7
// a second.
TEST(GuardTraining, SamplesPerSecondAgainstAllTensorCores) {
  TrainingLoad load{28800, 0, 2048, 6 * 6738415616.0, "6 x 6.74e9 FLOP", 64, 989.4};
  const auto checks = guard_training("7b on 8 nodes", load);
  ASSERT_EQ(checks.size(), 1u);
  EXPECT_TRUE(checks[0].implausible());
  EXPECT_NEAR(checks[0].limit, 764.75, 0.1);
  EXPECT_EQ(
      checks[0].arithmetic(),
      "28,800 samples/s x 2,048 tokens x 6 x 6.74e9 FLOP = 2.38 EFLOP/s > 64 x 989.4 TFLOP/s = 63.3 PFLOP/s");
  load.samples_per_s = 424;  // 13,566 tokens/s per GPU, as measured
  EXPECT_FALSE(guard_training("", load)[0].implausible());
}

TEST(GuardTraining, TokensPerSecondAndTokensOfASample) {
  const TrainingLoad load{100, 50000, 2048, 1e9, "1e9 FLOP", 1, 49};
  const auto checks = guard_training("", load);
  ASSERT_EQ(checks.size(), 2u);  // 100 samples of 500 tokens: 50 TFLOP/s
  EXPECT_TRUE(checks[0].implausible());
  EXPECT_NEAR(checks[0].limit, 98, 1e-9);
  EXPECT_TRUE(checks[1].implausible());
  EXPECT_NEAR(checks[1].limit, 49000, 1e-6);
}

TEST(GuardTraining, WithoutFactsThereIsNoCheck) {
  EXPECT_TRUE(guard_training("", {100, 0, 2048, 0, "", 64, 989.4}).empty());
  EXPECT_TRUE(guard_training("", {100, 0, 2048, 1e9, "", 64, 0}).empty());
  EXPECT_TRUE(guard_training("", {100, 0, 0, 1e9, "", 64, 989}).empty());
}

/// One task on an H200 with these records of one kind.
std::vector<Check> checks_of(const char* kind, const std::vector<Json>& records,
                             const Json& plan = Json::object()) {
  SyntheticRun run(scratch("run"));
  Json planned = {{"id", "t"}, {"phase", "gpu"}, {"nodes", 1}, {"repeat", 0}};
  planned.update(plan);
  run.add("run", testing::run_data("synthetic", Json::array({planned}), Json::object()));
  run.add("task_start", {{"phase", "gpu"}, {"label", "gpu"}, {"nodes", {"synthetic1"}}, {"world", 1}}, "t");
  run.add("device", {{"device", "cuda"}, {"name", "NVIDIA H200"}}, "t", "synthetic1", 0);
  for (const Json& data : records) run.add(kind, data, "t", "synthetic1", 0);
  run.write();
  const auto dataset = load_dataset(run.folder());
  EXPECT_TRUE(dataset.ok());
  return guard_gpus(*dataset, testing::shipped_hardware());
}

Json bench(const char* test, double value, const char* metric) {
  return {{"test", test}, {"gpu", 0}, {"value", value}, {"metric", metric}};
}

TEST(GuardGpus, EveryKindOfFigureHasItsLimit) {
  const auto checks =
      checks_of("gpu_bench", {bench("gemm_bf16", 795, "TFLOP/s"), bench("gemm_fp8", 1491, "TFLOP/s"),
                              bench("gemm_max_fp64", 60, "TFLOP/s"), bench("gemm_fp32", 50, "TFLOP/s"),
                              bench("attention_forward", 562, "TFLOP/s"), bench("hbm_copy_sm", 4300, "GB/s"),
                              bench("h2d", 55.5, "GB/s"), bench("p2p_read", 394, "GB/s"),
                              bench("p2p_bidir_write", 391, "GB/s"), bench("launch", 2, "us"),
                              bench("host_memory", 100, "GB/s")});
  const double limits[] = {989.4, 1978.9, 66.9, 66.9, 989.4, 4800, 63.008, 450, 450};
  ASSERT_EQ(checks.size(), 9u);  // no limit for a latency, nor for the host's memory
  for (std::size_t i = 0; i < 9; ++i) {
    EXPECT_NEAR(checks[i].limit, limits[i], 1e-6) << checks[i].figure;
    EXPECT_FALSE(checks[i].implausible()) << checks[i].figure;
  }
}

TEST(GuardGpus, AboveTheLimitIsImplausible) {
  for (const Json& record :
       {bench("gemm_bf16", 990, "TFLOP/s"), bench("hbm_triad", 4801, "GB/s"), bench("d2h", 63.1, "GB/s"),
        bench("p2p_write", 451, "GB/s"), bench("p2p_bidir_read", 451, "GB/s")}) {
    EXPECT_TRUE(checks_of("gpu_bench", {record}).at(0).implausible()) << record.dump();
  }
  EXPECT_EQ(checks_of("gpu_bench", {bench("hbm_triad", 5000, "GB/s")}).at(0).arithmetic(),
            "5000.0 GB/s > 4800 GB/s HBM");
}

TEST(GuardGpus, TheNearestToTheLimitIsShown) {
  const auto checks =
      checks_of("gpu_bench", {bench("gemm_bf16", 700, "TFLOP/s"), bench("gemm_bf16", 790, "TFLOP/s")});
  ASSERT_EQ(checks.size(), 1u);
  EXPECT_EQ(checks[0].value, 790);
}

TEST(GuardGpus, BurnCountsAgainstThePeakOfItsPrecision) {
  const std::vector<Json> records = {{{"gpu", 0}, {"tflops", 1000}}};
  EXPECT_TRUE(checks_of("burn", records).at(0).implausible());
  EXPECT_FALSE(checks_of("burn", records, {{"burn", {{"precision", "fp8"}}}}).at(0).implausible());
}

NicUse nic(const char* name, double tx) { return {"node1", name, tx, tx, tx, tx}; }

// Eight rails, one at half speed; the median is 48.
TEST(NicRates, OneThatLagsIsNamed) {
  std::map<std::string, double> lines;
  TaskSamples samples;
  static const char* kNames[] = {"mlx5_0/1", "mlx5_1/1", "mlx5_2/1", "mlx5_3/1",
                                 "mlx5_4/1", "mlx5_5/1", "mlx5_6/1", "mlx5_7/1"};
  for (int i = 0; i < 8; ++i) {
    samples.nics.push_back(nic(kNames[i], i == 5 ? 24 : 48));
    lines[std::string(kNames[i]).substr(0, 6)] = 50;
  }
  samples.nics.push_back(nic("eth0", 0.1));  // management: not in network.nics
  const auto rates = nic_rates(samples, lines, 0.8);
  ASSERT_EQ(rates.size(), 8u);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(rates[static_cast<std::size_t>(i)].lags, i == 5);
  EXPECT_EQ(rates[5].note, "sent 24.0 GB/s where the median NIC sent 48.0 (50 %)");
  EXPECT_FALSE(guard_nics("", rates)->implausible());
  samples.nics[0] = nic("mlx5_0/1", 51);
  const auto check = guard_nics("all_reduce on 2 nodes", nic_rates(samples, lines, 0.8));
  EXPECT_TRUE(check->implausible());
  EXPECT_EQ(check->arithmetic(), "51.0 GB/s through mlx5_0/1 of node1 > 400 Gbit/s = 50 GB/s line rate");
}

// Ten readings a second: two seconds of 1 GB/s, one of 48, one of nothing.
TEST(CounterRate, TheBusiestHalfSecond) {
  CounterRate rate;
  double bytes = 0;
  for (int tick = 0; tick <= 40; ++tick) {
    rate.add(tick * 100'000'000LL, bytes);
    bytes += 0.1e9 * (tick < 20 ? 1 : tick < 30 ? 48 : 0);
  }
  EXPECT_NEAR(*rate.highest_per_second() * 1e-9, 48, 1e-9);
  EXPECT_NEAR(*rate.per_second() * 1e-9, 50.0 / 4, 1e-9);
  CounterRate brief;
  for (int tick = 0; tick < 5; ++tick) brief.add(tick * 100'000'000LL, tick * 1e9);
  EXPECT_FALSE(brief.highest_per_second()) << "0.4 s are no half second";
  CounterRate reset;
  reset.add(0, 1e9);
  reset.add(600'000'000, 0.0);
  EXPECT_FALSE(reset.highest_per_second());
}

TEST(NicRates, IdleNicsAreNotCompared) {
  TaskSamples samples;
  samples.nics = {nic("a", 0), nic("b", 0)};
  for (const NicRate& rate : nic_rates(samples, {{"a", 50}, {"b", 50}}, 0.8)) EXPECT_FALSE(rate.lags);
  EXPECT_FALSE(guard_nics("", nic_rates(samples, {{"a", 50}}, 0.8)));
}

}  // namespace
}  // namespace sxb::analysis
