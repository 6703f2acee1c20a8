// Trainings that were killed and go on from a checkpoint: the same bits as without, whatever was left behind.
#include <gmock/gmock.h>

#include <fstream>
#include <functional>
#include <map>
#include <set>

#include "base/files.h"
#include "engine/train/checkpoint_runs.h"

namespace sxb::engine::train {
namespace {

using config::Sharding;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A file may get its last name, or go, between being listed and being copied.
void copy_while_written(const fs::path& from, const fs::path& to) {
  for (int attempt = 0; attempt < 100; ++attempt) {
    std::error_code ec;
    fs::remove_all(to);
    fs::copy(from, to, fs::copy_options::recursive, ec);
    if (!ec) return;
  }
  ADD_FAILURE() << "the folder never stood still";
}

/// Trains to the end and leaves in `folder` what a kill just before it would have left. The losses.
std::map<std::int64_t, double> leave_checkpoints(const Shape& shape, const fs::path& folder) {
  const TemporaryDir own;
  SeenRecords seen;
  seen.at = [&](const std::string& kind, const Json& data) {
    if (kind == record::kind::kStep) wait_for_checkpoint(own.path() / "c", shape.world, data.at("step"));
    if (kind == record::kind::kTraining) copy_while_written(own.path() / "c", folder);
  };
  train_ranks(shape_task(shape, own.path() / "c"), seen);
  EXPECT_FALSE(fs::exists(own.path() / "c")) << "a training with a result has no use for them";
  return seen.losses;
}

/// Of a run whose journal has the records of all steps that were trained.
plan::RankTask task_to_go_on(const Shape& shape, const fs::path& folder) {
  plan::RankTask task = shape_task(shape, folder);
  task.recorded_steps = kSteps;
  return task;
}

/// The losses after step `first` - 1 are those of `expected`, to the last bit.
void expect_same_losses_from(std::int64_t first, const SeenRecords& seen,
                             const std::map<std::int64_t, double>& expected) {
  EXPECT_EQ(seen.losses.size(), static_cast<std::size_t>(kSteps - first + 1));
  for (const auto& [step, loss] : seen.losses) {
    EXPECT_GE(step, first);
    EXPECT_EQ(loss, expected.at(step)) << "step " << step;
  }
}

class Checkpoints : public testing::TestWithParam<Shape> {
 protected:
  const TemporaryDir dir_;
  const fs::path folder_ = dir_.path() / "run" / "task";
};

TEST_P(Checkpoints, ChangeNoBitAndGoOnWithTheSame) {
  fs::create_directories(folder_.parent_path());
  plan::RankTask plain = shape_task(GetParam(), folder_);
  plain.checkpoint_dir.clear();
  SeenRecords without;
  train_ranks(plain, without);
  EXPECT_THAT(without.of[record::Checkpoint::kKind], IsEmpty());
  const auto expected = leave_checkpoints(GetParam(), folder_);
  EXPECT_EQ(without.losses, expected);

  SeenRecords again;
  train_ranks(task_to_go_on(GetParam(), folder_), again);
  ASSERT_GE(again.resumed(), 3);
  EXPECT_TRUE(again.found("training_resumed"));
  expect_same_losses_from(again.resumed() + 1, again, expected);
  // Steps that a process does for the first time are not measured, nor are those before the resumption.
  for (const Json& step : again.of[record::kind::kStep]) {
    EXPECT_EQ(step.at("measured").get<bool>(), step.at("step").get<std::int64_t>() > again.resumed() + 2);
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, Checkpoints, testing::ValuesIn(kShapes), shape_name);

// --- what is not as it was left ------------------------------------------------------------------------

class Left : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_.parent_path());
    expected_ = leave_checkpoints(kShape, folder_);
    for (const auto& entry : fs::directory_iterator(folder_)) {
      const std::string name = entry.path().filename().string();
      const bool whole =
          fs::exists(entry.path() / "rank-00000.json") && fs::exists(entry.path() / "rank-00001.json");
      if (name.rfind("step-", 0) == 0 && whole) steps_.insert(std::stoll(name.substr(5)));
    }
    ASSERT_GE(steps_.size(), 3u);
    newest_ = *steps_.rbegin();
    before_ = *std::next(steps_.rbegin());
  }
  fs::path file(std::int64_t step, const char* name) const {
    std::string number = std::to_string(step);
    number.insert(0, 9 - number.size(), '0');
    return folder_ / ("step-" + number) / name;
  }
  void damage(std::int64_t step, const char* name) const {
    std::string bytes = *read_file(file(step, name));
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    ASSERT_TRUE(write_file_atomic(file(step, name), bytes).ok());
  }
  void expect_resumed_after(std::int64_t step) {
    SeenRecords seen;
    train_ranks(task_to_go_on(kShape, folder_), seen);
    EXPECT_EQ(seen.resumed(), step);
    expect_same_losses_from(step + 1, seen, expected_);
    EXPECT_TRUE(seen.found(step > 0 ? "training_resumed" : "training_restarted"));
    EXPECT_FALSE(fs::exists(folder_));
  }
  void expect_refused(const plan::RankTask& task, const std::string& cause) {
    SeenRecords seen;
    try {
      train_ranks(task, seen);
      ADD_FAILURE() << "accepted, resumed after step " << seen.resumed();
    } catch (const EngineError& error) {
      EXPECT_EQ(error.code, "checkpoint_mismatch");
      EXPECT_EQ(error.exit_code, ExitCode::kUsage);
      EXPECT_THAT(error.what(), HasSubstr(cause));
      EXPECT_THAT(error.help, HasSubstr(folder_.string()));
    }
    EXPECT_TRUE(fs::exists(file(newest_, "rank-00000.json"))) << "a refusal removes nothing";
  }

  static constexpr Shape kShape = {"full_on_2", 2, Sharding::kFull};
  const TemporaryDir dir_;
  const fs::path folder_ = dir_.path() / "run" / "task";
  std::map<std::int64_t, double> expected_;
  std::set<std::int64_t> steps_;
  std::int64_t newest_ = 0, before_ = 0;
};

TEST_F(Left, TheNewestIsTaken) { expect_resumed_after(newest_); }

TEST_F(Left, StepsThatTheJournalLacksAreToldAgain) {
  plan::RankTask task = shape_task(kShape, folder_);
  task.recorded_steps = before_ + 1;
  SeenRecords seen;
  train_ranks(task, seen);
  EXPECT_EQ(seen.resumed(), newest_);
  expect_same_losses_from(before_ + 2, seen, expected_);
  EXPECT_EQ(seen.of[record::kind::kStep].size(), seen.losses.size()) << "each once";
}

TEST_F(Left, ADamagedShardOfOneRankGivesTheOneBefore) {
  damage(newest_, "rank-00001.safetensors");
  SeenRecords seen;
  train_ranks(task_to_go_on(kShape, folder_), seen);
  EXPECT_EQ(seen.resumed(), before_);
  EXPECT_TRUE(seen.found("checkpoint_damaged"));
  expect_same_losses_from(before_ + 1, seen, expected_);
}

TEST_F(Left, ADamagedManifestToo) {
  damage(newest_, "rank-00000.json");
  expect_resumed_after(before_);
}

TEST_F(Left, AMissingShardToo) {
  fs::remove(file(newest_, "rank-00001.safetensors"));
  expect_resumed_after(before_);
}

TEST_F(Left, AMissingManifestToo) {
  fs::remove(file(newest_, "rank-00000.json"));
  expect_resumed_after(before_);
}

TEST_F(Left, WithoutAWholeOneItStartsAgain) {
  for (const std::int64_t step : steps_) damage(step, "rank-00000.safetensors");
  expect_resumed_after(0);
}

TEST_F(Left, ARankWithoutAnyStartsAllAgain) {
  for (const std::int64_t step : steps_) fs::remove(file(step, "rank-00001.json"));
  expect_resumed_after(0);
}

TEST_F(Left, HalfAFileOfAKilledRankIsNothing) {
  fs::create_directories(file(newest_ + 1, ""));
  std::ofstream(file(newest_ + 1, "rank-00000.safetensors.tmp42")) << "half";
  std::ofstream(file(newest_ + 1, "rank-00001.safetensors")) << "whole, perhaps";
  expect_resumed_after(newest_);
}

TEST_F(Left, AnotherTrainingIsRefusedWithItsCause) {
  const auto changed = [&](const std::function<void(plan::RankTask&)>& change) {
    plan::RankTask task = shape_task(kShape, folder_);
    change(task);
    return task;
  };
  expect_refused(shape_task({"", 1, Sharding::kFull}, folder_), "world was 2, and is 1 now");
  expect_refused(shape_task({"", 4, Sharding::kFull}, folder_), "world was 2, and is 4 now");
  expect_refused(shape_task({"", 2, Sharding::kGradients}, folder_),
                 "sharding was full, and is gradients now");
  expect_refused(changed([](plan::RankTask& t) { t.task.model.training.seed = 99; }), "seed was");
  expect_refused(changed([](plan::RankTask& t) { t.task.model.name = "other"; }),
                 "model was tiny, and is other");
  expect_refused(changed([](plan::RankTask& t) { t.task.model.optimizer.lr = 1e-5; }), "recipe was");
  expect_refused(changed([](plan::RankTask& t) { t.task.model.training.steps = 20; }), "recipe was");
  expect_refused(changed([](plan::RankTask& t) { t.dataset_dir.clear(); }), "dataset was");
  expect_resumed_after(newest_);
}

// --- while it goes on ----------------------------------------------------------------------------------

TEST(Saving, KeepsAsManyAsAskedAndTellsOfEach) {
  const TemporaryDir dir;
  plan::RankTask task = shape_task({"", 2, Sharding::kFull}, dir.path() / "c");
  task.task.model.training.checkpoint = {0, 1, "", 2};
  SeenRecords seen;
  std::size_t most = 0;
  seen.at = [&](const std::string& kind, const Json& data) {
    if (kind != record::kind::kStep) return;
    wait_for_checkpoint(dir.path() / "c", 2, data.at("step"));
    std::size_t there = 0;
    std::error_code ec;
    for (const auto& entry : fs::directory_iterator(dir.path() / "c"))
      there += entry.is_directory(ec) ? 1 : 0;
    most = std::max(most, there);
  };
  train_ranks(task, seen);
  EXPECT_LE(most, 4u) << "two, the one that is written, and one that a rank is just removing";
  const std::vector<Json>& records = seen.of[record::Checkpoint::kKind];
  ASSERT_GE(records.size(), 3u);
  std::int64_t last = 0;
  for (const Json& data : records) {
    EXPECT_GT(data.at("step").get<std::int64_t>(), last);
    last = data.at("step");
    EXPECT_GT(data.at("bytes").get<std::int64_t>(), 12 * task.task.model.arch.parameters() - 1);
    for (const char* name : {"seconds", "copy_s", "write_s", "gBps"})
      EXPECT_GT(data.at(name).get<double>(), 0.0);
    for (const auto& item : data.items())
      EXPECT_NE(record::find_field(record::Checkpoint::kKind, item.key()), nullptr) << item.key();
  }
}

TEST(Saving, OneThatCannotBeWrittenEndsNothing) {
  const TemporaryDir dir;
  plan::RankTask task = shape_task({"", 2, Sharding::kFull}, dir.path() / "c");
  task.task.model.training.checkpoint = {0, 1, "", 50};
  // Rank 1 finds a folder where its manifest is to go.
  for (std::int64_t step = 1; step < kSteps; ++step) {
    std::string number = std::to_string(step);
    number.insert(0, 9 - number.size(), '0');
    fs::create_directories(dir.path() / "c" / ("step-" + number) / "rank-00001.json" / "x");
  }
  SeenRecords seen;
  train_ranks(task, seen);
  EXPECT_EQ(seen.losses.size(), static_cast<std::size_t>(kSteps));
  EXPECT_TRUE(seen.found("checkpoint_failed"));
  EXPECT_THAT(seen.of[record::Checkpoint::kKind], IsEmpty()) << "one without the shard of rank 1 is none";
}

TEST(Saving, OffMeansNoFileAndNoWord) {
  const TemporaryDir dir;
  plan::RankTask task = shape_task({"", 2, Sharding::kFull}, "");
  SeenRecords seen;
  train_ranks(task, seen);
  EXPECT_THAT(seen.of[record::Checkpoint::kKind], IsEmpty());
  EXPECT_EQ(seen.resumed(), 0);
}

}  // namespace
}  // namespace sxb::engine::train
