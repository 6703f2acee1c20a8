#include "analysis/model/limits.h"

#include <gtest/gtest.h>

namespace sxb::analysis {
namespace {

// By hand, 8 GPUs with 450 GB/s: 2·7/8·450 = 787.5 for all_reduce in the switch, 450 for the others.
TEST(Limits, OneMachineIsBoundByNvlink) {
  const Placement node{8, 1, 400, 450, false};
  EXPECT_DOUBLE_EQ(busbw_limit("all_reduce", node)->busbw_gBps, 787.5);
  EXPECT_DOUBLE_EQ(busbw_limit("all_gather", node)->busbw_gBps, 450);
  EXPECT_EQ(busbw_limit("all_reduce", node)->resource, "NVLink");
}

// 400 GB/s a node. Two nodes of 8: 2·15/16·400 = 750, which NCCL's trees reach (reference 3.1);
// four nodes: 31/32·4/3·400.
TEST(Limits, SeveralMachinesAreBoundByTheNetwork) {
  EXPECT_DOUBLE_EQ(busbw_limit("all_reduce", {16, 2, 400, 450, false})->busbw_gBps, 750);
  EXPECT_NEAR(busbw_limit("all_reduce", {32, 4, 400, 450, false})->busbw_gBps, 516.667, 1e-3);
  EXPECT_DOUBLE_EQ(busbw_limit("all_reduce", {16, 2, 400, 450, true})->busbw_gBps, 750);
  EXPECT_DOUBLE_EQ(busbw_limit("all_reduce", {32, 4, 400, 450, true})->busbw_gBps, 775);
  // alltoall on 8 nodes of 8 with 50 GB/s a GPU: 50·63/56 = 56.25 (reference 3.1: "k=8 56").
  EXPECT_DOUBLE_EQ(busbw_limit("alltoall", {64, 8, 400, 450, false})->busbw_gBps, 56.25);
  EXPECT_DOUBLE_EQ(busbw_limit("all_gather", {64, 8, 400, 450, false})->busbw_gBps, 450);
  EXPECT_DOUBLE_EQ(busbw_limit("broadcast", {64, 8, 400, 450, false})->busbw_gBps, 400);
}

TEST(Limits, WithoutFactsThereIsNoLimit) {
  EXPECT_FALSE(busbw_limit("all_reduce", {8, 1, 400, 0, false}));
  EXPECT_FALSE(busbw_limit("all_reduce", {16, 2, 0, 450, false}));
  EXPECT_FALSE(busbw_limit("all_reduce", {1, 1, 0, 450, false}));
  EXPECT_FALSE(busbw_limit("alltoallv", {8, 1, 0, 450, false}));
}

TEST(Limits, WireRateOfAllReduce) {
  EXPECT_DOUBLE_EQ(all_reduce_wire_gBps(256, 480, 2, false), 256);
  EXPECT_DOUBLE_EQ(all_reduce_wire_gBps(50, 94, 2, true), 94);
  EXPECT_DOUBLE_EQ(all_reduce_wire_gBps(198, 390, 8, false), 390);
}

}  // namespace
}  // namespace sxb::analysis
