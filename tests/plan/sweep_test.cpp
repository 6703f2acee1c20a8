#include "plan/sweep.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sxb::plan {
namespace {

using testing::ElementsAre;

CollectiveSweep everything_changed() {
  CollectiveSweep s;
  s.collective = "alltoallv";
  s.min_bytes = 16;
  s.max_bytes = 1024;
  s.step_factor = 0;
  s.step_bytes = 64;
  s.iterations = 3;
  s.warmup = 1;
  s.check = 0;
  s.dtype = "double";
  s.redop = "max";
  s.agg_iterations = 4;
  s.root = -1;
  s.blocking = 2;
  s.graph_launches = 7;
  s.registration = 2;
  s.cta_policy = 0;
  s.average = 1;
  s.timeout_s = 60;
  s.timestamps = true;
  s.per_iteration = 1;
  s.per_iteration_skip = 2;
  s.unalign = 3;
  s.split = "MOD 8";
  s.spread = 0.25;
  s.matrix.rows = {{0, 16}, {32, 0}};
  return s;
}

TEST(SweepJson, RoundTripsEveryField) {
  const Json json = to_json(everything_changed());
  const auto again = parse_sweep(json, "plan.json");
  ASSERT_TRUE(again.ok()) << format_errors(again.errors());
  EXPECT_EQ(to_json(*again), json);
  // A field that to_json() or the reader forgot would come back as its default and so be left out.
  const Json usual = to_json(CollectiveSweep{});
  EXPECT_EQ(json.size(), 25u);
  for (const auto& [key, value] : json.items()) {
    EXPECT_TRUE(!usual.contains(key) || usual[key] != value) << key;
  }
}

TEST(Sweep, SizesAreThoseOfNcclTests) {
  CollectiveSweep sweep;
  sweep.min_bytes = 8;
  sweep.max_bytes = 100;
  sweep.step_factor = 2;
  EXPECT_THAT(sizes_of(sweep), ElementsAre(8, 16, 32, 64));
  sweep.step_bytes = 40;
  EXPECT_THAT(sizes_of(sweep), ElementsAre(8, 48, 88));
  sweep.step_bytes = 0;
  sweep.min_bytes = 1LL << 62;
  sweep.max_bytes = (1LL << 62) + 5;
  EXPECT_THAT(sizes_of(sweep), ElementsAre(1LL << 62));
  sweep.step_bytes = 1LL << 62;
  EXPECT_THAT(sizes_of(sweep), ElementsAre(1LL << 62));
}

TEST(SweepJson, LeavesOutWhatCameLaterAtItsDefault) {
  std::vector<std::string> keys;
  const Json json = to_json(CollectiveSweep{});
  for (const auto& [key, value] : json.items()) keys.push_back(key);
  EXPECT_THAT(
      keys, testing::UnorderedElementsAre("collective", "min_bytes", "max_bytes", "step_factor", "step_bytes",
                                          "iterations", "warmup", "check", "dtype", "redop"));
}

TEST(SweepJson, NamesUnknownKeysAndBadValues) {
  const auto sweep = parse_sweep(
      {{"registration", 3}, {"spread", 1}, {"split", 8}, {"alltoallv_matrix", {{16, 16}, {0}}}}, "p");
  std::vector<std::string> where;
  for (const Error& error : sweep.errors()) where.push_back(error.where);
  EXPECT_THAT(where, ElementsAre("p:/registration", "p:/split", "p:/alltoallv_matrix", "p:/spread"));
}

/// Colors of 2 nodes with 4 ranks each.
std::vector<int> colors(const std::string& split, int nodes = 2, int per_node = 4) {
  std::vector<int> result;
  for (int rank = 0; rank < nodes * per_node; ++rank) {
    result.push_back(split_color(split, {rank, rank % per_node, rank / per_node}).value());
  }
  return result;
}

TEST(SplitColor, FollowsTheTopology) {
  EXPECT_THAT(colors(""), ElementsAre(0, 0, 0, 0, 0, 0, 0, 0));
  EXPECT_THAT(colors("rails"), ElementsAre(0, 1, 2, 3, 0, 1, 2, 3));
  EXPECT_THAT(colors("nodes"), ElementsAre(0, 0, 0, 0, 1, 1, 1, 1));
  EXPECT_THAT(colors("pairs", 4, 2), ElementsAre(0, 0, 0, 0, 1, 1, 1, 1));
}

TEST(SplitColor, ReadsNcclTestsSplit) {
  EXPECT_EQ(colors("MOD 4"), colors("rails"));
  EXPECT_EQ(colors("AND 0x3"), colors("rails"));
  EXPECT_EQ(colors("DIV 4"), colors("nodes"));
  EXPECT_EQ(colors("mod4"), colors("rails"));
  EXPECT_EQ(colors("% 0b100"), colors("rails"));
  EXPECT_EQ(colors("/4"), colors("nodes"));
  EXPECT_THAT(colors("OR 0x3"), ElementsAre(3, 3, 3, 3, 7, 7, 7, 7));
  EXPECT_EQ(colors("| 3"), colors("OR 0x3"));
}

TEST(SplitColor, RefusesTheRest) {
  for (const char* bad : {"rail", "MOD", "MOD 0", "DIV 0", "MOD -8", "AND 0xg", "XOR 3", "MOD 8 8", "8"}) {
    const auto color = split_color(bad, {});
    ASSERT_FALSE(color.ok()) << bad;
    EXPECT_EQ(color.error().where, "--split") << bad;
  }
}

TEST(Names, HaveSizes) {
  for (const std::string& dtype : dtype_names()) EXPECT_GT(dtype_bytes(dtype), 0) << dtype;
  EXPECT_EQ(dtype_bytes("float8"), 0);
}

}  // namespace
}  // namespace sxb::plan
