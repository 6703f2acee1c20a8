// Split groups: a row for each, and none hides behind another.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/support/forwarding.h"
#include "sweeps.h"

namespace sxb::engine::bench {
namespace {

/// The record of group `group`, which must be there once for each size.
std::vector<Json> rows_of_group(const Records& records, int group) {
  std::vector<Json> rows;
  for (const Json& row : records.of("collective")) {
    if (row["group"] == group) rows.push_back(row);
  }
  return rows;
}

TEST(SweepSplit, EveryGroupHasARowOfItsOwn) {
  struct Expected {
    const char* split;
    std::vector<std::vector<int>> groups;
  };
  // Nodes of two ranks.
  for (const Expected& expected : std::vector<Expected>{{"rails", {{0, 2, 4}, {1, 3}}},
                                                        {"nodes", {{0, 1}, {2, 3}, {4}}},
                                                        {"pairs", {{0, 1, 2, 3}, {4}}},
                                                        {"MOD 2", {{0, 2, 4}, {1, 3}}},
                                                        {"DIV 4", {{0, 1, 2, 3}, {4}}},
                                                        {"AND 0x1", {{0, 2, 4}, {1, 3}}}}) {
    auto sweep = small_sweep("all_gather");
    sweep.split = expected.split;
    sweep.max_bytes = 4096;
    Records records;
    sweep_on(5, {sweep}, records);
    const auto rows = records.of("collective");
    ASSERT_EQ(rows.size(), 4 * expected.groups.size()) << expected.split;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto group = i % expected.groups.size();  // all groups of a size, then the next size
      EXPECT_EQ(rows[i]["group"], group) << expected.split;
      EXPECT_EQ(rows[i]["groups"], expected.groups.size());
      EXPECT_EQ(rows[i]["group_ranks"], Json(expected.groups[group])) << expected.split;
      EXPECT_EQ(rows[i]["ranks"], expected.groups[group].size());
      EXPECT_EQ(rows[i]["out_of_place"]["wrong"], 0) << rows[i].dump();
      EXPECT_THAT(expected.groups[group], testing::Contains(rows[i]["out_of_place"]["slowest_rank"]));
    }
  }
}

/// Makes the ranks of one world rank slow.
class Slow final : public Forwarding {
 public:
  using Forwarding::Forwarding;
  std::unique_ptr<comm::Communicator> split(int color, int key,
                                            const comm::CommunicatorOptions& options) override;
};
class SlowGroup final : public Forwarding {
 public:
  explicit SlowGroup(std::unique_ptr<comm::Communicator> inner)
      : Forwarding(*inner), own_(std::move(inner)) {}
  void all_reduce(const void* s, void* r, std::int64_t n, DType d, RedOp o, Stream t) override {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    inner_.all_reduce(s, r, n, d, o, t);
  }

 private:
  std::unique_ptr<comm::Communicator> own_;
};
std::unique_ptr<comm::Communicator> Slow::split(int color, int key,
                                                const comm::CommunicatorOptions& options) {
  auto group = inner_.split(color, key, options);
  if (color != 1) return group;
  return std::make_unique<SlowGroup>(std::move(group));
}

TEST(SweepSplit, ASlowGroupIsNotAveragedAway) {
  Records records;
  run_gloo(4, [&](comm::Communicator& comm) {
    Slow slow(comm);
    auto sweep = small_sweep();
    sweep.max_bytes = 8;
    sweep.split = "nodes";
    const auto memory = make_host_memory(4);
    run_sweep(sweep, slow, *memory, Emitter(&Records::add, &records), place_of(comm.rank()));
  });
  // A mean over the groups would give both the same time, and the slow one less than its own.
  const Json fast = rows_of_group(records, 0).at(0)["out_of_place"]["time_us"];
  const Json slow = rows_of_group(records, 1).at(0)["out_of_place"]["time_us"];
  EXPECT_GE(slow.get<double>(), 2000);
  EXPECT_NE(fast, slow);
}

}  // namespace
}  // namespace sxb::engine::bench
