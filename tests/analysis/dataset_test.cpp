#include "analysis/read/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/synthetic_run.h"

namespace sxb::analysis {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::scratch;
using testing::SftSpec;
using testing::SyntheticRun;

SftSpec spec(const std::string& id) {
  SftSpec sft;
  sft.id = id;
  return sft;
}

Json plan_of(const std::vector<SftSpec>& tasks) {
  Json plan = Json::array();
  for (const SftSpec& task : tasks) plan.push_back(testing::planned_sft(task));
  return plan;
}

TEST(Dataset, SortsRecordsByTaskInPlanOrder) {
  SyntheticRun run(scratch("run"));
  run.add("run",
          testing::run_data("synthetic", plan_of({spec("b"), spec("a"), spec("never")}), Json::object()));
  add_sft_task(run, spec("a"));
  add_sft_task(run, spec("b"));
  run.add("run_end", {{"status", "ok"}});
  run.write();
  const auto dataset = load_dataset(run.folder());
  ASSERT_TRUE(dataset.ok());
  ASSERT_EQ(dataset->tasks.size(), 3u);
  EXPECT_EQ(dataset->tasks[0].id, "b");
  EXPECT_EQ(dataset->tasks[1].id, "a");
  EXPECT_EQ(dataset->tasks[0].status(), TaskStatus::kOk);
  EXPECT_EQ(dataset->tasks[0].of("step").size(), 6u);
  EXPECT_EQ(dataset->tasks[0].world(), 2);
  EXPECT_EQ(dataset->tasks[2].status(), TaskStatus::kMissing);
  EXPECT_THAT(dataset->tasks[2].reason(), HasSubstr("never started"));
  EXPECT_TRUE(dataset->complete);
  EXPECT_EQ(dataset->tasks[1].of("task_start").front().line, 2u);  // evidence: the line in the file
}

TEST(Dataset, LastAttemptOfATaskWins) {
  SyntheticRun run(scratch("run"));
  run.add("run", testing::run_data("synthetic", plan_of({spec("a")}), Json::object()));
  SftSpec first = spec("a");
  first.status = "failed";
  first.reason = "rank 1 died";
  add_sft_task(run, first);
  SftSpec second = spec("a");
  second.step_ms = 50;
  add_sft_task(run, second);
  run.write();
  const auto dataset = load_dataset(run.folder());
  ASSERT_TRUE(dataset.ok());
  ASSERT_EQ(dataset->tasks.size(), 1u);
  EXPECT_EQ(dataset->tasks[0].status(), TaskStatus::kOk);
  ASSERT_EQ(dataset->tasks[0].of("step").size(), 6u);
  EXPECT_EQ(dataset->tasks[0].of("step")[1].record.data["step_time_ms"], 50.0);
}

TEST(Dataset, TornLastLineIsIgnoredAndTold) {
  SyntheticRun run(scratch("run"));
  run.add("run", testing::run_data("synthetic", plan_of({spec("a")}), Json::object()));
  run.add("task_start", {{"phase", "sft"}, {"nodes", {"n"}}, {"world", 1}, {"attempt", 1}}, "a");
  run.add_raw("{\"v\":1,\"kind\":\"step\",\"task\":\"a\",\"data\":{\"step\":1");
  run.write();
  const auto dataset = load_dataset(run.folder());
  ASSERT_TRUE(dataset.ok());
  EXPECT_THAT(dataset->torn_lines, ElementsAre(3u));
  EXPECT_FALSE(dataset->complete);
  EXPECT_EQ(dataset->tasks[0].status(), TaskStatus::kInterrupted);
  EXPECT_TRUE(dataset->tasks[0].of("step").empty());
}

TEST(Dataset, ResumedRunKeepsItsFirstStartAndItsLastConfig) {
  SyntheticRun run(scratch("run"));
  run.add("run", testing::run_data("first", plan_of({}), Json::object()));
  run.add("run_end", {{"status", "partial"}});
  run.add("run", testing::run_data("second", plan_of({}), Json::object()));
  run.write();
  const auto dataset = load_dataset(run.folder());
  ASSERT_TRUE(dataset.ok());
  EXPECT_EQ(dataset->run.record.data["run_id"], "second");
  EXPECT_EQ(dataset->end_wall_ns - dataset->start_wall_ns, 2'000'000'000);
  EXPECT_FALSE(dataset->complete);
}

TEST(Dataset, EmptyJournalIsAnError) {
  SyntheticRun run(scratch("run"));
  run.write();
  const auto dataset = load_dataset(run.folder());
  ASSERT_FALSE(dataset.ok());
  EXPECT_THAT(dataset.error().what, HasSubstr("no run record"));
}

TEST(Dataset, UnknownSchemaIsAnError) {
  SyntheticRun run(scratch("run"));
  run.add_raw("{\"v\":99,\"kind\":\"run\",\"data\":{}}\n");
  run.write();
  const auto dataset = load_dataset(run.folder());
  ASSERT_FALSE(dataset.ok());
  EXPECT_THAT(dataset.error().what, HasSubstr("schema 99"));
  EXPECT_THAT(dataset.error().where, HasSubstr("records.jsonl:1"));
}

TEST(FoldNodes, CountsAsPeopleDo) {
  EXPECT_EQ(fold_nodes({"node10", "node2", "node1", "node9"}), "node[1-2,9-10]");
  EXPECT_EQ(fold_nodes({"node003", "node001"}), "node[001,003]");
}

}  // namespace
}  // namespace sxb::analysis
