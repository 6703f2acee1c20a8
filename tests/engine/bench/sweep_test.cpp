// The sweep over Gloo: a row for each size with exact data, and errors before anything is measured.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "engine/bench/collectives/collective.h"
#include "plan/limits.h"
#include "sweeps.h"

namespace sxb::engine::bench {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string error_of(const plan::CollectiveSweep& sweep) {
  Records records;
  try {
    sweep_on(1, {sweep}, records);
  } catch (const EngineError& error) {
    EXPECT_EQ(error.exit_code, ExitCode::kUsage);
    EXPECT_TRUE(records.list.empty());
    return std::string(error.what()) + " | " + error.help;
  }
  return "no error";
}

/// Algorithm and bus bandwidth over size / time on n ranks, as nccl-tests' sources have them.
struct Factors {
  double (*algorithm)(double n);
  double (*bus)(double n);
};
const std::map<std::string, Factors>& factors() {
  constexpr auto one = [](double) { return 1.0; };
  constexpr auto others = [](double n) { return (n - 1) / n; };
  static const std::map<std::string, Factors> table = {
      {"all_reduce", {one, [](double n) { return 2 * (n - 1) / n; }}},
      {"all_gather", {one, others}},
      {"reduce_scatter", {one, others}},
      {"alltoall", {one, others}},
      {"alltoallv", {one, others}},
      {"broadcast", {one, one}},
      {"reduce", {one, one}},
      {"gather", {one, others}},
      {"scatter", {one, others}},
      {"sendrecv", {one, one}},
      {"hypercube", {others, one}}};
  return table;
}

bool defined_in_place(const std::string& collective) {
  return collective != "alltoall" && collective != "alltoallv" && collective != "sendrecv";
}

void expect_exact_row(const Json& row, const std::string& collective, int world) {
  EXPECT_EQ(row["collective"], collective);
  EXPECT_EQ(row["ranks"], world);
  EXPECT_EQ(row["redop"], plan::has_redop(collective) ? "sum" : "none");
  EXPECT_EQ(row["root"], plan::has_root(collective) ? 0 : -1);
  EXPECT_EQ(row["path"], "gloo");
  EXPECT_FALSE(row.contains("algorithm"));
  EXPECT_FALSE(row.contains("first_wrong"));
  EXPECT_FALSE(row.contains("group_ranks"));
  for (const char* placement : {"out_of_place", "in_place"}) {
    const Json& figures = row[placement];
    if (placement == std::string("out_of_place") || defined_in_place(collective)) {
      EXPECT_EQ(figures["wrong"], 0) << row.dump();
      EXPECT_EQ(figures["wrong_timed"], 0) << row.dump();
    } else {
      EXPECT_TRUE(figures["wrong"].is_null()) << row.dump();
      EXPECT_TRUE(figures["wrong_timed"].is_null()) << row.dump();
    }
    EXPECT_GT(figures["time_us"].get<double>(), 0);
    EXPECT_EQ(figures["per_iteration"]["count"], 3);
    EXPECT_LE(figures["per_iteration"]["p50_us"], figures["per_iteration"]["p99_us"]);
    EXPECT_LT(figures["slowest_rank"], world);
    if (world == 1) {  // nothing is transferred: a time, but no bandwidth
      EXPECT_TRUE(figures["algbw_gBps"].is_null());
      EXPECT_TRUE(figures["busbw_gBps"].is_null());
      EXPECT_EQ(figures["rank_spread_pct"], 0);
      continue;
    }
    const Factors& factor = factors().at(collective);
    const double algbw =
        row["size_bytes"].get<double>() / figures["time_us"].get<double>() / 1e3 * factor.algorithm(world);
    EXPECT_NEAR(figures["algbw_gBps"].get<double>(), algbw, 1e-12 * algbw);
    EXPECT_NEAR(figures["busbw_gBps"].get<double>(), algbw * factor.bus(world), 1e-9 * algbw);
  }
}

TEST(Sweep, TheRegistryIsTheListOfThePlan) {
  std::vector<std::string> names;
  for (const Collective* collective : collectives()) {
    names.emplace_back(collective->name);
  }
  EXPECT_EQ(names, plan::collective_names());
  std::vector<std::string> dtypes;
  for (const DType dtype : comm::all_dtypes()) {
    dtypes.emplace_back(comm::dtype_name(dtype));
    EXPECT_EQ(dtype_size(dtype), plan::dtype_bytes(dtypes.back()));
  }
  EXPECT_EQ(dtypes, plan::dtype_names());
  std::vector<std::string> ops;
  for (const RedOp op : comm::all_redops()) ops.emplace_back(comm::redop_name(op));
  EXPECT_EQ(ops, plan::redop_names());
}

TEST(Sweep, GivesARowForEachSizeOfEachCollective) {
  for (const int world : {1, 3, 4}) {
    std::vector<plan::CollectiveSweep> sweeps;
    for (const Collective* collective : collectives()) {
      if (world != 3 || !collective->kind().powers_of_two) sweeps.push_back(small_sweep(collective->name));
    }
    Records records;
    sweep_on(world, sweeps, records);
    constexpr std::size_t kSizes = 5;  // 8, 64, 512, 4096, 32768
    const auto rows = records.of("collective");
    ASSERT_EQ(rows.size(), kSizes * sweeps.size());
    for (std::size_t i = 0; i < rows.size(); ++i)
      expect_exact_row(rows[i], sweeps[i / kSizes].collective, world);
    const auto windows = records.of("window");
    ASSERT_EQ(windows.size(), sweeps.size() * static_cast<std::size_t>((world + 1) / 2));  // one per node
    for (const Json& window : windows) {
      EXPECT_EQ(window["name"], "sweep");
      EXPECT_LT(window["begin_ns"].get<std::int64_t>(), window["end_ns"].get<std::int64_t>());
    }
    const auto overheads = records.of("overhead");
    ASSERT_EQ(overheads.size(), sweeps.size());
    for (const Json& overhead : overheads) EXPECT_GE(overhead["null_call_us"].get<double>(), 0);
    EXPECT_TRUE(records.of("finding").empty());
  }
}

TEST(Sweep, AllMeansEveryTypeAndOperatorThatThereIs) {
  std::vector<plan::CollectiveSweep> sweeps;
  for (const char* collective : {"all_reduce", "reduce_scatter", "reduce"}) {
    auto sweep = small_sweep(collective);
    sweep.min_bytes = sweep.max_bytes = 4096;
    sweep.iterations = 2;
    sweep.dtype = sweep.redop = "all";
    sweeps.push_back(sweep);
  }
  Records records;
  sweep_on(3, sweeps, records);
  const auto rows = records.of("collective");
  ASSERT_EQ(rows.size(), 3U * 9 * 6);
  EXPECT_EQ(rows[0]["dtype"], "int8");
  EXPECT_EQ(rows[1]["redop"], "prod");
  EXPECT_EQ(rows[5]["redop"], "mulsum");
  EXPECT_EQ(rows[6]["dtype"], "uint8");
  for (const Json& row : rows) {
    for (const char* placement : {"out_of_place", "in_place"}) {
      EXPECT_EQ(row[placement]["wrong"], 0) << row.dump();
      EXPECT_EQ(row[placement]["wrong_timed"], 0) << row.dump();
    }
  }
  // Gloo has no bfloat16 and no FP8: said once for each, and not an error.
  const auto findings = records.of("finding");
  ASSERT_EQ(findings.size(), 3U * 3 * 6);
  EXPECT_EQ(findings[0]["code"], "pair_skipped");
  EXPECT_EQ(findings[0]["severity"], "info");
  EXPECT_THAT(findings[0]["message"].get<std::string>(), HasSubstr("bfloat16 with sum"));
}

TEST(Sweep, CopiesEveryType) {
  auto sweep = small_sweep("alltoallv");
  sweep.min_bytes = sweep.max_bytes = 4096;
  sweep.dtype = "all";
  Records records;
  sweep_on(3, {sweep}, records);
  ASSERT_EQ(records.of("collective").size(), 12U);
  for (const Json& row : records.of("collective")) EXPECT_EQ(row["out_of_place"]["wrong"], 0) << row.dump();
}

TEST(Sweep, EveryRankIsRootInTurn) {
  for (const char* collective : {"broadcast", "reduce", "gather", "scatter"}) {
    auto sweep = small_sweep(collective);
    sweep.min_bytes = sweep.max_bytes = 4096;
    sweep.root = -1;
    Records records;
    sweep_on(3, {sweep}, records);
    const auto rows = records.of("collective");
    ASSERT_EQ(rows.size(), 3U);
    for (int root = 0; root < 3; ++root) {
      const Json& row = rows[static_cast<std::size_t>(root)];
      EXPECT_EQ(row["root"], root);
      EXPECT_EQ(row["out_of_place"]["wrong"], 0) << row.dump();
      EXPECT_EQ(row["in_place"]["wrong"], 0) << row.dump();
      EXPECT_EQ(row["in_place"]["wrong_timed"], 0) << row.dump();
    }
  }
}

TEST(Sweep, EveryWayToLaunchGivesExactRows) {
  std::vector<plan::CollectiveSweep> sweeps;
  for (const char* collective : {"all_reduce", "alltoallv", "gather"}) {
    for (const int way : {0, 1, 2, 3, 4, 5, 6}) {
      auto sweep = small_sweep(collective);
      if (way < 4) sweep.blocking = way;
      if (way == 4) sweep.graph_launches = 2, sweep.per_iteration = 0;
      if (way == 5) sweep.unalign = 1;
      sweep.agg_iterations = way == 6 ? 3 : 1;
      sweep.check = 2;
      sweeps.push_back(sweep);
    }
  }
  Records records;
  sweep_on(3, sweeps, records);
  const auto rows = records.of("collective");
  ASSERT_EQ(rows.size(), 5 * sweeps.size());
  for (const Json& row : rows) {
    EXPECT_EQ(row["out_of_place"]["wrong"], 0) << row.dump();
    EXPECT_EQ(row["out_of_place"]["wrong_timed"], 0) << row.dump();
    EXPECT_GT(row["out_of_place"]["time_us"].get<double>(), 0);
  }
  EXPECT_EQ(rows[5 * 4]["graph_launches"], 2);
  EXPECT_EQ(rows[5 * 6]["agg_iterations"], 3);
}

TEST(Sweep, ShortIterationsAreTimedOftenEnoughForPercentiles) {
  auto sweep = small_sweep();
  sweep.max_bytes = 8;
  sweep.per_iteration = 0;
  Records records;
  sweep_on(1, {sweep}, records);
  EXPECT_EQ(records.of("collective").at(0)["in_place"]["per_iteration"]["count"], 200);
  EXPECT_FALSE(records.of("collective").at(0)["in_place"].contains("times_us"))
      << "a journal of every time is long";
}

TEST(Sweep, IterationsAreThoseThatWereAskedFor) {
  auto sweep = small_sweep();
  sweep.max_bytes = 8;
  sweep.iterations = 7;
  sweep.per_iteration = 1;
  sweep.per_iteration_skip = 2;
  sweep.timestamps = true;
  Records records;
  sweep_on(2, {sweep}, records);
  const Json row = records.of("collective").at(0);
  EXPECT_EQ(row["in_place"]["per_iteration"]["count"], 5);
  EXPECT_EQ(row["in_place"]["times_us"].size(), 7U);
  EXPECT_EQ(row["in_place"]["rank_times_us"].size(), 2U);
  EXPECT_THAT(row["timestamp"].get<std::string>(), testing::MatchesRegex("....-..-.. ..:..:.."));
}

TEST(Sweep, WithoutACheckWrongIsMissingNotZero) {
  Records records;
  auto sweep = small_sweep();
  sweep.check = 0;
  sweep.max_bytes = 8;
  sweep_on(2, {sweep}, records);
  EXPECT_TRUE(records.of("collective").at(0)["in_place"]["wrong"].is_null());
  EXPECT_TRUE(records.of("collective").at(0)["out_of_place"]["wrong_timed"].is_null());
}

TEST(Sweep, ChunksAreSixteenByteAligned) {
  const Collective& all_gather = find_collective("all_gather");
  const Layout layout = all_gather.layout({1000, 4, 4});
  EXPECT_EQ(layout.count, 60);  // 62 elements per rank, down to a multiple of 4
  EXPECT_EQ(layout.recv, 240);
  EXPECT_EQ(all_gather.layout({8, 4, 4}).count, 0);
  for (const char* name : {"reduce_scatter", "alltoall", "gather", "scatter", "hypercube"}) {
    EXPECT_EQ(find_collective(name).layout({1000, 4, 4}).count, 60) << name;
  }
  for (const char* name : {"all_reduce", "broadcast", "reduce", "sendrecv"}) {
    EXPECT_EQ(find_collective(name).layout({1000, 4, 4}).count, 250) << name;
  }
}

TEST(Sweep, AlltoallvSpreadsAsNcclTests) {
  // 4 ranks, 1024 bytes each: 0, 1/6, 2/6, 3/6 of them to the peers at distance 0 to 3, down to 16 bytes.
  const Collective& alltoallv = find_collective("alltoallv");
  const Layout far = alltoallv.layout({1024, 4, 4, {1}});
  EXPECT_EQ(far.count, 64);
  EXPECT_EQ(far.send * 4, 0 + 160 + 336 + 512);
  EXPECT_EQ(far.recv, far.send);
  const Layout even = alltoallv.layout({1024, 4, 4, {0}});
  EXPECT_EQ(even.send * 4, 1024);
}

TEST(Sweep, AlltoallvSendsWhatTheMatrixSays) {
  plan::TrafficMatrix matrix;
  matrix.rows = {{0, 160, 32, 9999}, {48, 0, 0, 9999}, {0, 0, 16, 9999}, {9999, 9999, 9999, 9999}};
  // Three ranks take the first three rows and columns. Rank 0 sends most, 192 bytes, and rank 1 receives 160.
  const Layout layout = find_collective("alltoallv").layout({1024, 3, 4, {1, &matrix}});
  EXPECT_EQ(layout.count, 0) << "as nccl-tests prints it";
  EXPECT_EQ(layout.send * 4, 192);
  EXPECT_EQ(layout.recv * 4, 160);
  Records records;
  auto sweep = small_sweep("alltoallv");
  sweep.matrix = matrix;
  sweep.min_bytes = sweep.max_bytes = 192;
  sweep.check = 2;
  sweep_on(3, {sweep}, records);
  const auto rows = records.of("collective");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0]["size_bytes"], 192);
  EXPECT_EQ(rows[0]["count"], 0);
  EXPECT_EQ(rows[0]["out_of_place"]["wrong"], 0);
  EXPECT_EQ(rows[0]["out_of_place"]["wrong_timed"], 0);
}

TEST(Sweep, RefusesWhatCannotRunWithARemedy) {
  auto sweep = small_sweep();
  sweep.collective = "all_redce";
  EXPECT_THAT(error_of(sweep), HasSubstr("all_reduce"));
  sweep = small_sweep();
  sweep.dtype = "bfloat16";
  EXPECT_THAT(error_of(sweep), HasSubstr("-d float"));
  sweep = small_sweep();
  sweep.redop = "summ";
  EXPECT_THAT(error_of(sweep), HasSubstr("sum"));
  sweep = small_sweep();
  sweep.max_bytes = 4;
  EXPECT_THAT(error_of(sweep), HasSubstr("-e"));
  sweep = small_sweep();
  sweep.step_factor = 1;
  EXPECT_THAT(error_of(sweep), HasSubstr("-f"));
  sweep = small_sweep("broadcast");
  sweep.root = 1;
  EXPECT_THAT(error_of(sweep), HasSubstr("-r below 1"));
  sweep = small_sweep();
  sweep.split = "MOD x";
  EXPECT_THAT(error_of(sweep), HasSubstr("MOD 8"));
  sweep = small_sweep();
  sweep.graph_launches = 1;
  sweep.blocking = 1;
  EXPECT_THAT(error_of(sweep), HasSubstr("-G or -z"));
}

TEST(Sweep, ARangeThatMemoryCannotHoldIsCutAndSaid) {
  Records records;
  auto sweep = small_sweep();
  sweep.min_bytes = 1024;
  sweep.max_bytes = limits::kMaxSweepBytes;
  sweep.step_factor = sweep.max_bytes / sweep.min_bytes;
  sweep.iterations = 1;
  sweep_on(1, {sweep}, records);
  const auto findings = records.of("finding");
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0]["code"], "sweep_range_cut");
  EXPECT_THAT(findings[0]["message"].get<std::string>(), HasSubstr("rank 0 has "));
  EXPECT_EQ(records.of("collective").size(), 1U);
}

TEST(Sweep, HypercubeNeedsAPowerOfTwo) {
  Records records;
  try {
    sweep_on(3, {small_sweep("hypercube")}, records);
    FAIL() << "no error";
  } catch (const EngineError& error) {
    EXPECT_EQ(error.code, "bad_argument");
    EXPECT_THAT(error.what(), HasSubstr("not on 3"));
  }
}

TEST(Sweep, RegistrationThatHasNoEffectIsSaid) {
  Records records;
  auto sweep = small_sweep();
  sweep.max_bytes = 8;
  sweep.registration = 2;
  sweep_on(2, {sweep}, records);
  ASSERT_EQ(records.of("finding").size(), 1U);
  EXPECT_EQ(records.of("finding").at(0)["code"], "no_registration");
  EXPECT_THAT(records.of("finding").at(0)["message"].get<std::string>(), HasSubstr("on rank 0"));
  EXPECT_EQ(records.of("collective").at(0)["registration"], "none");
}

}  // namespace
}  // namespace sxb::engine::bench
