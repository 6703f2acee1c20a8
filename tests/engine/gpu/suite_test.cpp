#include "engine/gpu/suite.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/comm/communicator.h"
#include "engine/kernels/bench_pattern.h"
#include "on_node.h"

namespace sxb::engine::gpu {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

plan::Task suite(std::vector<std::string> names) {
  plan::Task task;
  task.id = "suite";
  task.phase = plan::Phase::kGpu;
  task.gpu.tests = std::move(names);
  task.gpu.bytes = 4 << 20;
  task.gpu.max_runs = 6;
  return task;
}

void run(const plan::Task& task, Records& records, int world = 2,
         const std::vector<const Test*>& list = tests()) {
  on_node(world, task, records,
          [&](const plan::RankTask& rank, rank::NodeRanks& ranks, const Emitter& emitter) {
            run_suite(rank, facts_of(rank), ranks, emitter, list);
          });
}

std::vector<std::string> names_of(const std::vector<Json>& figures) {
  std::vector<std::string> names;
  for (const Json& figure : figures) names.push_back(figure["test"]);
  return names;
}

TEST(Pattern, HasTheXorOfItsWords) {
  std::uint32_t all = 0;
  for (std::uint64_t word = 0; word < 1000; ++word) all ^= kernels::bench_word(word, 5);
  EXPECT_EQ(kernels::bench_xor(4000, 5), all);
  EXPECT_NE(kernels::bench_xor(4000, 6), all);
  EXPECT_NE(kernels::bench_xor(3992, 5), all) << "one read too few";
}

TEST(Registry, HoldsTheTestsThatThePlanNames) {
  std::vector<std::string> planned, listed;
  for (const plan::GpuTest& test : plan::gpu_tests()) planned.emplace_back(test.name);
  for (const gpu::Test* test : tests()) listed.emplace_back(test->name);
  EXPECT_EQ(listed, planned);
}

TEST(Registry, EachTestSaysWhereItCanRun) {
  Facts cpu, one_gpu, four_gpus, slice;
  one_gpu.cuda = four_gpus.cuda = slice.cuda = true;
  four_gpus.local_world = slice.local_world = 4;
  slice.mig = true;
  const std::vector<plan::GpuTest>& planned = plan::gpu_tests();
  for (std::size_t i = 0; i < planned.size(); ++i) {
    const gpu::Test& test = *tests()[i];
    EXPECT_EQ(test.waived(cpu).empty(), planned[i].host) << test.name;
    EXPECT_EQ(test.waived(four_gpus).empty(), !planned[i].host) << test.name;
    if (!planned[i].host) {
      EXPECT_EQ(test.waived(cpu), "no GPU");
    }
    const bool pairs = std::string(test.name) == "p2p";
    if (pairs) {
      EXPECT_THAT(test.waived(one_gpu), HasSubstr("one GPU"));
      EXPECT_THAT(test.waived(slice), HasSubstr("MIG"));
    }
  }
}

TEST(Suite, MeasuresTheHostOnEveryRankAndWaivesTheRest) {
  Records records;
  run(suite({}), records);
  int waived = 0;
  std::vector<Json> measured;
  for (const Json& figure : records.of("gpu_bench")) {
    if (figure.contains("waived")) {
      ++waived;
      EXPECT_EQ(figure["waived"], "no GPU");
    } else {
      measured.push_back(figure);
    }
  }
  EXPECT_EQ(waived, 2 * 7);
  ASSERT_EQ(measured.size(), 2u * 3);
  for (const Json& figure : measured) {
    EXPECT_GT(figure["value"].get<double>(), 0);
    EXPECT_LE(figure["p5"], figure["value"]);
    EXPECT_GE(figure["p95"], figure["value"]);
    EXPECT_GE(figure["runs"], 5);
    EXPECT_EQ(figure["wrong"], 0);
    EXPECT_THAT(figure["shape"].get<std::string>(), HasSubstr("host"));
  }
  std::vector<std::string> windows;
  for (const Json& window : records.of("window")) windows.push_back(window["name"]);
  EXPECT_THAT(windows, ElementsAre("host_gemm", "host_memory")) << "one each, by local rank 0";
}

TEST(Suite, RunsOnlyWhatIsNamed) {
  Records records;
  run(suite({"host_memory"}), records, 1);
  EXPECT_THAT(names_of(records.of("gpu_bench")), ElementsAre("host_copy", "host_triad"));
}

TEST(Suite, NothingThatCanRunIsWrongUsage) {
  Records records;
  try {
    run(suite({"gemm", "p2p"}), records);
    FAIL() << "no error";
  } catch (const EngineError& error) {
    EXPECT_EQ(error.code, "all_waived");
    EXPECT_EQ(error.exit_code, ExitCode::kUsage);
    EXPECT_THAT(error.what(), HasSubstr("no GPU"));
  }
  EXPECT_EQ(records.of("gpu_bench").size(), 4u);
}

std::string never(const Facts&) { return ""; }
const Test kFaulty = {"host_gemm", never, [](Context& context) {
                        const bool mine = context.task.rank == 1;
                        context.emit({"faulty", "s", "GB/s", {1, 2, 3}, true, mine ? 5 : 0, -1});
                        context.emit({"sound", "s", "GB/s", {4}, true, 0, -1});
                      }};

TEST(Suite, WrongDataFailsAtTheEndWithEveryRecordSent) {
  Records records;
  try {
    run(suite({}), records, 3, {&kFaulty});
    FAIL() << "no error";
  } catch (const EngineError& error) {
    EXPECT_EQ(error.code, "wrong_data");
    EXPECT_EQ(error.exit_code, ExitCode::kTaskFailed);
    EXPECT_THAT(error.what(), HasSubstr("5 elements were wrong"));
    EXPECT_THAT(error.what(), HasSubstr("faulty of s"));
  }
  EXPECT_EQ(records.of("gpu_bench").size(), 6u);
}

TEST(NodeRanks, ExchangeInOrderAndTakeTurns) {
  Records records;
  std::mutex mutex;
  std::vector<int> turns;
  on_node(4, suite({}), records, [&](const plan::RankTask& task, rank::NodeRanks& ranks, const Emitter&) {
    for (int round = 0; round < 3; ++round) {
      const auto all = ranks.exchange({static_cast<char>('a' + task.rank), static_cast<char>('0' + round)});
      for (int r = 0; r < 4; ++r) {
        const auto& one = all[static_cast<std::size_t>(r)];
        const std::string expected = {static_cast<char>('a' + r), static_cast<char>('0' + round)};
        EXPECT_EQ(std::string(one.begin(), one.end()), expected);
      }
    }
    ranks.in_turn([&] {
      const std::lock_guard lock(mutex);
      turns.push_back(task.rank);
    });
    ranks.leave();
  });
  EXPECT_THAT(turns, ElementsAre(0, 1, 2, 3));
}

TEST(Runs, StopWhenSteadyAndAtTheBound) {
  plan::GpuSuite bounds;
  bounds.min_runs = 3;
  bounds.max_runs = 12;
  const Runs steady = repeat(bounds, [] { return 0.25; });
  EXPECT_EQ(steady.seconds.size(), 3u);
  EXPECT_TRUE(steady.stable);
  EXPECT_EQ(steady.rates(1e9, 1e9).front(), 4);
  double next = 1;
  const Runs wild = repeat(bounds, [&] { return next *= 1.2; });
  EXPECT_LE(wild.seconds.size(), 12u);
  EXPECT_FALSE(wild.stable);
}

}  // namespace
}  // namespace sxb::engine::gpu
