#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/analysis.h"
#include "analysis/verdict/verdicts.h"
#include "support/nccl_run.h"
#include "support/synthetic_run.h"

namespace sxb::analysis {
namespace {

using ::testing::ElementsAre;

class NcclRun : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto folder = testing::scratch("run");
    testing::make_nccl_run(folder);
    auto dataset = load_dataset(folder);
    ASSERT_TRUE(dataset.ok());
    dataset_ = std::move(dataset).value();
    auto hardware = load_hardware(dataset_);
    ASSERT_TRUE(hardware.ok());
    groups_ = group_nccl(dataset_, *hardware);
  }
  Dataset dataset_;
  std::vector<NcclGroup> groups_;
};

TEST_F(NcclRun, GroupsAreKeyedByWhatCompares) {
  std::vector<std::string> labels;
  for (const NcclGroup& group : groups_) labels.push_back(group.label());
  EXPECT_THAT(labels, ElementsAre("all_reduce on 2 nodes", "all_gather (rails, group 0) on 2 nodes",
                                  "all_gather (rails, group 1) on 2 nodes", "broadcast on 2 nodes",
                                  "broadcast root 1 on 2 nodes"));
}

TEST_F(NcclRun, RowsHoldIterationsAndWhatNcclChose) {
  const SweepRow& row = groups_[0].rows.at(1);
  EXPECT_EQ(row.algorithm, "RING");
  EXPECT_EQ(row.protocol, "SIMPLE");
  EXPECT_EQ(row.channels, 16);
  EXPECT_DOUBLE_EQ(*row.out_of_place.p50_us, 50);
  EXPECT_DOUBLE_EQ(*row.out_of_place.p99_us, 55);
  EXPECT_DOUBLE_EQ(*row.out_of_place.cv_pct, 5);
  EXPECT_EQ(row.out_of_place.slowest_rank, 3);
  EXPECT_FALSE(row.in_place.wrong.has_value());  // not checked
  EXPECT_FALSE(groups_[1].rows.at(1).channels.has_value());
}

TEST_F(NcclRun, AGroupKnowsItsRanksAndMachines) {
  EXPECT_EQ(groups_[0].ranks, 4);
  EXPECT_EQ(groups_[2].ranks, 2);
  EXPECT_THAT(groups_[2].group_ranks, ElementsAre(1, 3));
  EXPECT_EQ(groups_[2].hosts, 2);
  EXPECT_EQ(groups_[2].groups, 2);
  // 13.1 and 6.6 GB/s at the largest size; the median of two is their mean.
  EXPECT_NEAR(*groups_[1].of_median_group, 4.0 / 3, 1e-9);
  EXPECT_NEAR(*groups_[2].of_median_group, 2.0 / 3, 1e-9);
  EXPECT_FALSE(groups_[0].of_median_group.has_value());
}

TEST_F(NcclRun, RowsOfFailedTasksCountNowhereButAreKept) {
  const NcclGroup& group = groups_[4];
  EXPECT_EQ(group.status(), "failed");
  EXPECT_TRUE(group.rows.empty());
  ASSERT_EQ(group.failed_rows.size(), 1u);
  EXPECT_EQ(group.failed_rows[0].out_of_place.wrong, 3);  // checks and timed iterations together
  ASSERT_TRUE(group.failed_rows[0].first_wrong.has_value());
  EXPECT_EQ(to_text(*group.failed_rows[0].first_wrong),
            "rank 3, element 17 out of place: expected 1.5, found -nan (after the timed iterations)");
}

/// A journal that lost them.
TEST_F(NcclRun, ATaskThatIsOkMayHaveNoRows) {
  NcclGroup group = groups_[0];
  group.rows.clear();
  group.expected.value.emplace();
  for (const Verdict& verdict : judge_sweeps({group})) EXPECT_FALSE(verdict.missed()) << verdict.item;
}

}  // namespace
}  // namespace sxb::analysis
