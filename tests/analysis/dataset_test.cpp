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

/// A training that was killed after `last` steps; the first is warm-up.
void add_killed_attempt(SyntheticRun& run, int attempt, int first, int last, double step_ms) {
  run.add("task_start", {{"phase", "sft"}, {"nodes", {"n"}}, {"world", 1}, {"attempt", attempt}}, "a");
  if (first > 1) run.add("resumed", {{"step", first - 1}}, "a", "n", 0);
  for (int step = first; step <= last; ++step) {
    run.add("step",
            {{"step", step},
             {"loss", 5.0 - step},
             {"tokens", 100},
             {"step_time_ms", step_ms},
             {"measured", step > 1}},
            "a", "n", 0);
  }
}

std::vector<std::pair<std::int64_t, double>> steps_of(const SyntheticRun& run) {
  run.write();
  const auto dataset = load_dataset(run.folder());
  EXPECT_TRUE(dataset.ok());
  std::vector<std::pair<std::int64_t, double>> steps;
  for (const auto& entry : dataset->tasks[0].of<record::Step>())
    steps.emplace_back(*entry.data.step, *entry.data.step_time_ms);
  EXPECT_EQ(dataset->tasks[0].of("step").size(), steps.size());
  return steps;
}

using Steps = std::vector<std::pair<std::int64_t, double>>;

TEST(Dataset, AResumedTrainingHasEveryStepOnce) {
  SyntheticRun run(scratch("run"));
  run.add("run", testing::run_data("synthetic", plan_of({spec("a")}), Json::object()));
  add_killed_attempt(run, 1, 1, 5, 10);
  add_killed_attempt(run, 2, 4, 6, 20);  // steps 4 and 5 again: the later ones count
  EXPECT_EQ(steps_of(run), (Steps{{1, 10}, {2, 10}, {3, 10}, {4, 20}, {5, 20}, {6, 20}}));
  // An attempt that ended before its first step takes nothing away from the next.
  run.add("task_start", {{"phase", "sft"}, {"nodes", {"n"}}, {"world", 1}, {"attempt", 3}}, "a");
  add_killed_attempt(run, 4, 6, 7, 30);
  EXPECT_EQ(steps_of(run), (Steps{{1, 10}, {2, 10}, {3, 10}, {4, 20}, {5, 20}, {6, 30}, {7, 30}}));
  const auto dataset = load_dataset(run.folder());
  EXPECT_EQ(dataset->tasks[0].resumed_step(), 5);
  EXPECT_EQ(dataset->tasks[0].attempt, 4);
}

TEST(Dataset, StepsThatTheJournalHadLostComeAgain) {
  SyntheticRun run(scratch("run"));
  run.add("run", testing::run_data("synthetic", plan_of({spec("a")}), Json::object()));
  add_killed_attempt(run, 1, 1, 2, 10);
  run.add("task_start", {{"phase", "sft"}, {"nodes", {"n"}}, {"world", 1}, {"attempt", 2}}, "a");
  const auto step = [&](int number) {
    run.add("step", {{"step", number}, {"step_time_ms", 15.0}}, "a", "n", 0);
  };
  step(3), step(4);
  run.add("resumed", {{"step", 4}}, "a", "n", 0);
  step(5);
  EXPECT_EQ(steps_of(run), (Steps{{1, 10}, {2, 10}, {3, 15}, {4, 15}, {5, 15}}));
}

TEST(Dataset, AnAttemptThatBeganAnewHasItsOwnStepsAlone) {
  SyntheticRun run(scratch("run"));
  run.add("run", testing::run_data("synthetic", plan_of({spec("a")}), Json::object()));
  add_killed_attempt(run, 1, 1, 5, 10);
  add_killed_attempt(run, 2, 1, 2, 20);
  EXPECT_EQ(steps_of(run), (Steps{{1, 20}, {2, 20}}));
  add_killed_attempt(run, 3, 3, 3, 30);
  EXPECT_EQ(steps_of(run), (Steps{{1, 20}, {2, 20}, {3, 30}}));
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
