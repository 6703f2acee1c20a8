#include "engine/gpu/burn/burn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "engine/comm/communicator.h"
#include "on_node.h"

namespace sxb::engine::gpu {
namespace {

using ::testing::HasSubstr;

plan::Task burn(int seconds) {
  plan::Task task;
  task.id = "burn";
  task.phase = plan::Phase::kBurn;
  task.burn = plan::resolve_burn({}, false);
  task.burn.size = 64;
  task.burn.streams = 2;
  task.burn.duration_s = seconds;
  return task;
}

/// A device that finds a difference on one rank in its 20th product.
class FaultyDevice final : public BurnDevice {
 public:
  explicit FaultyDevice(bool faulty) : faulty_(faulty) {}
  double flops_per_product() const override { return 2e9; }
  int streams() const override { return 2; }
  void enqueue(int, int count) override { products_ += count; }
  void wait_for_older(int) override { std::this_thread::sleep_for(std::chrono::milliseconds(1)); }
  void finish() override {}
  Mismatches mismatches() override {
    if (!faulty_ || products_ < 20) return {};
    return {7, 20, 4711, 0x3f800000, 0x3f802000};
  }
  std::int64_t memory_bytes() override { return 1000; }
  std::int64_t products() const { return products_; }

 private:
  bool faulty_;
  std::int64_t products_ = 0;
};

TEST(Burn, RepeatsProductsForItsDurationAndSumsThemUp) {
  Records records;
  const std::int64_t begin = monotonic_ns();
  on_node(2, burn(1), records,
          [&](const plan::RankTask& task, rank::NodeRanks& ranks, const Emitter& emitter) {
            const auto device = make_host_burn(task.task.burn);
            run_burn(task, *device, ranks, emitter);
          });
  EXPECT_GE(monotonic_ns() - begin, 1'000'000'000);
  const auto seconds = records.of("burn");
  ASSERT_GE(seconds.size(), 2u);
  for (const Json& second : seconds) {
    EXPECT_EQ(second["mismatches"], 0);
    EXPECT_GT(second["iterations"], 0);
    const double flops = 2.0 * 64 * 64 * 64 * second["iterations"].get<double>();
    EXPECT_NEAR(second["tflops"].get<double>() * second["span_s"].get<double>() * 1e12, flops, flops * 1e-9);
    EXPECT_GT(second["memory_bytes"], 1 << 20);
  }
  ASSERT_EQ(records.of("window").size(), 1u);
}

TEST(Burn, EveryProductIsInExactlyOneRecord) {
  Records records;
  std::int64_t products = 0;
  on_node(1, burn(2), records,
          [&](const plan::RankTask& task, rank::NodeRanks& ranks, const Emitter& emitter) {
            FaultyDevice device(false);
            run_burn(task, device, ranks, emitter);
            products = device.products();
          });
  std::int64_t reported = 0;
  for (const Json& second : records.of("burn")) reported += second["iterations"].get<std::int64_t>();
  EXPECT_EQ(reported, products - 2) << "two products measure how many make a batch";
}

TEST(Burn, AMismatchNamesGpuRankAndPlaceAfterTheWholeBurn) {
  Records records;
  try {
    on_node(3, burn(1), records,
            [&](const plan::RankTask& rank, rank::NodeRanks& ranks, const Emitter& emitter) {
              plan::RankTask task = rank;
              task.gpu = rank.rank;
              FaultyDevice device(rank.rank == 2);
              run_burn(task, device, ranks, emitter);
            });
    FAIL() << "no error";
  } catch (const EngineError& error) {
    EXPECT_EQ(error.code, "burn_mismatch");
    EXPECT_EQ(error.exit_code, ExitCode::kTaskFailed);
    EXPECT_THAT(error.what(), HasSubstr("GPU 2 of node (rank 2)"));
    EXPECT_THAT(error.what(), HasSubstr("7 words"));
    EXPECT_THAT(error.what(), HasSubstr("result 20, word 4711, expected 0x3f800000, found 0x3f802000"));
  }
  std::int64_t mismatches = 0;
  for (const Json& second : records.of("burn")) {
    mismatches = std::max(mismatches, second["mismatches"].get<std::int64_t>());
  }
  EXPECT_EQ(mismatches, 7);
  EXPECT_GE(records.of("burn").size(), 3u) << "the sound ranks have told theirs";
}

}  // namespace
}  // namespace sxb::engine::gpu
