// A rank's checkpoints: whole or not there, of this training or refused.
#include "data/rank_checkpoints.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <optional>
#include <thread>

#include "base/files.h"
#include "temp_dir.h"

namespace sxb::data {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Checkpoints : public TempDir {
 protected:
  RankCheckpoints open(int rank = 3, Json of = {{"model", "tiny"}, {"world", 4}}) {
    Result<RankCheckpoints> opened = RankCheckpoints::open(dir_ / "run" / "task", rank, std::move(of));
    EXPECT_TRUE(opened.ok()) << format_errors(opened.errors());
    return std::move(opened).value();
  }
  std::vector<StateTensor> tensors(float first) {
    for (std::size_t i = 0; i < a_.size(); ++i) a_[i] = first + static_cast<float>(i);
    b_ = {first, -first};
    return {{"a", a_.data(), 100}, {"b", b_.data(), 2}};
  }
  void write(RankCheckpoints& checkpoints, std::int64_t step) {
    const Status written =
        checkpoints.write(step, tensors(static_cast<float>(step)), {{"updates", step - 1}});
    ASSERT_TRUE(written.ok()) << format_errors(written.errors());
  }
  fs::path step_dir(const char* step) const { return dir_ / "run" / "task" / step; }
  std::string shard() const { return step_dir("step-000000020") / "rank-00003.safetensors"; }

  std::vector<float> a_ = std::vector<float>(100), b_;
};

TEST_F(Checkpoints, OneThatWroteNothingLeavesNothing) {
  { const RankCheckpoints checkpoints = open(); }
  EXPECT_TRUE(fs::is_empty(dir_ / "run" / "task"));
  std::optional<RankCheckpoints> writes(open());
  write(*writes, 10);
  writes.reset();
  EXPECT_TRUE(fs::exists(dir_ / "run" / "task" / "rank-00003.lock"));
}

TEST_F(Checkpoints, ComeBackWithTheirState) {
  {
    RankCheckpoints checkpoints = open();
    EXPECT_TRUE(checkpoints.steps().empty());
    write(checkpoints, 10);
    write(checkpoints, 20);
  }
  const RankCheckpoints again = open();
  EXPECT_THAT(again.steps(), ElementsAre(20, 10));
  for (const std::int64_t step : {10, 20}) {
    const auto shard = again.read(step, tensors(0));
    ASSERT_TRUE(shard.ok()) << format_errors(shard.errors());
    EXPECT_EQ(shard->state().at("updates"), step - 1);
    float value = 0;
    std::memcpy(&value, static_cast<const float*>(shard->data(0)) + 7, sizeof value);
    EXPECT_EQ(value, static_cast<float>(step + 7));
    std::memcpy(&value, static_cast<const float*>(shard->data(1)) + 1, sizeof value);
    EXPECT_EQ(value, static_cast<float>(-step));
  }
  EXPECT_FALSE(again.read(30, tensors(0)).ok());
}

TEST_F(Checkpoints, AnyDamageIsSeen) {
  RankCheckpoints checkpoints = open();
  write(checkpoints, 20);
  const std::string whole = *read_file(shard());
  const std::size_t data = whole.size() - 4 * 102;
  for (const std::size_t at : {std::size_t{3}, std::size_t{40}, data, data + 201, whole.size() - 1}) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 4);
    ASSERT_TRUE(write_file_atomic(shard(), damaged).ok());
    EXPECT_FALSE(checkpoints.read(20, tensors(0)).ok()) << "byte " << at;
  }
  ASSERT_TRUE(write_file_atomic(shard(), std::string_view(whole).substr(0, whole.size() - 1)).ok());
  EXPECT_FALSE(checkpoints.read(20, tensors(0)).ok());
  fs::remove(shard());
  EXPECT_FALSE(checkpoints.read(20, tensors(0)).ok());
  ASSERT_TRUE(write_file_atomic(shard(), whole).ok());
  EXPECT_TRUE(checkpoints.read(20, tensors(0)).ok());
  for (const char* manifest : {"", "{}", "[1]", R"({"schema":1,"step":10,"hash":"","of":{}})", "\xff"}) {
    ASSERT_TRUE(write_file_atomic(step_dir("step-000000020") / "rank-00003.json", manifest).ok());
    EXPECT_FALSE(checkpoints.read(20, tensors(0)).ok()) << manifest;
  }
}

TEST_F(Checkpoints, OfAnotherTrainingAreRefusedWithTheDifference) {
  {
    RankCheckpoints checkpoints = open();
    write(checkpoints, 20);
  }
  const RankCheckpoints other = open(3, {{"model", "tiny"}, {"world", 2}});
  const Status status = other.check_identity(20);
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().what, HasSubstr("world was 4, and is 2 now"));
  EXPECT_THAT(status.error().help, HasSubstr((dir_ / "run" / "task").string()));
  EXPECT_EQ(status.error().code, ExitCode::kUsage);
  EXPECT_FALSE(other.read(20, tensors(0)).ok());
  EXPECT_TRUE(open(2).steps().empty()) << "another rank's";
}

TEST_F(Checkpoints, AnotherSizeIsRefused) {
  RankCheckpoints checkpoints = open();
  write(checkpoints, 20);
  std::vector<StateTensor> layout = tensors(0);
  layout[0].numel = 99;
  EXPECT_FALSE(checkpoints.read(20, layout).ok());
  layout = tensors(0);
  layout.push_back({"c", nullptr, 1});
  EXPECT_FALSE(checkpoints.read(20, layout).ok());
}

TEST_F(Checkpoints, WhatAKilledRankLeftGoesAndOthersStay) {
  {
    RankCheckpoints checkpoints = open(), neighbour = open(4);
    write(checkpoints, 20);
    write(neighbour, 30);
  }
  const auto put = [&](const char* step, const char* name) {
    ASSERT_TRUE(write_file_atomic(step_dir(step) / name, "half").ok());
  };
  put("step-000000030", "rank-00003.safetensors.tmp17");
  put("step-000000020", "rank-00003.json.tmp17");
  put("step-000000040", "rank-00003.safetensors");
  const RankCheckpoints again = open();
  EXPECT_THAT(again.steps(), ElementsAre(20));
  EXPECT_FALSE(fs::exists(step_dir("step-000000030") / "rank-00003.safetensors.tmp17"));
  EXPECT_FALSE(fs::exists(step_dir("step-000000020") / "rank-00003.json.tmp17"));
  EXPECT_FALSE(fs::exists(step_dir("step-000000040")));
  EXPECT_THAT(open(4).steps(), ElementsAre(30));
}

TEST_F(Checkpoints, TheLogHasWholeLines) {
  {
    RankCheckpoints checkpoints = open();
    EXPECT_THAT(checkpoints.logged(), ElementsAre());
    ASSERT_TRUE(checkpoints.log("one").ok());
    ASSERT_TRUE(checkpoints.log("two").ok());
  }
  const fs::path file = dir_ / "run" / "task" / "rank-00003.jsonl";
  ASSERT_TRUE(write_file_atomic(file, *read_file(file) + "thr").ok());
  EXPECT_THAT(open().logged(), ElementsAre("one", "two"));
  RankCheckpoints again = open();
  ASSERT_TRUE(again.log("four").ok());
  EXPECT_THAT(again.logged(), ElementsAre("one", "two", "thr", "four"));
  again.remove_all();
  EXPECT_FALSE(fs::exists(dir_ / "run"));
}

TEST_F(Checkpoints, OneThatIsGivenUpIsNotThere) {
  RankCheckpoints checkpoints = open();
  EXPECT_TRUE(checkpoints.write(20, tensors(1), Json::object(), [] { return false; }).ok());
  EXPECT_THAT(checkpoints.steps(), ElementsAre());
  EXPECT_FALSE(fs::exists(step_dir("step-000000020")));
  EXPECT_TRUE(checkpoints.write(20, tensors(1), Json::object(), [] { return true; }).ok());
  EXPECT_THAT(checkpoints.steps(), ElementsAre(20));
}

TEST_F(Checkpoints, RemovingAllLeavesNothingOfThisRank) {
  RankCheckpoints checkpoints = open();
  write(checkpoints, 10);
  write(checkpoints, 20);
  {
    RankCheckpoints neighbour = open(4);
    write(neighbour, 20);
    checkpoints.remove(10);
    EXPECT_THAT(checkpoints.steps(), ElementsAre(20));
    EXPECT_FALSE(fs::exists(step_dir("step-000000010")));
    checkpoints.remove_all();
    EXPECT_THAT(neighbour.steps(), ElementsAre(20));
    neighbour.remove_all();
  }
  EXPECT_FALSE(fs::exists(dir_ / "run"));
}

TEST_F(Checkpoints, AFolderThatCannotBeWrittenIsSaid) {
  ASSERT_TRUE(write_file_atomic(dir_ / "file", "").ok());
  const auto opened = RankCheckpoints::open(dir_ / "file" / "task", 0, Json::object());
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, ExitCode::kEnvironment);
  EXPECT_THAT(opened.error().help, HasSubstr("training.checkpoint.folder"));
}

TEST_F(Checkpoints, WaitsForTheRankThatIsBeingEnded) {
  std::optional<RankCheckpoints> first = open();
  std::thread second([&] {
    const RankCheckpoints waited = open();
    EXPECT_THAT(waited.steps(), ElementsAre(20)) << "came in before the first had left";
  });
  write(*first, 20);
  first.reset();
  second.join();
}

/// Killed at any moment: what has a manifest is whole.
TEST_F(Checkpoints, AWriterThatIsKilledLeavesWholeOnes) {
  for (int kill = 0; kill < 12; ++kill) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      std::vector<float> state(1 << 18);
      auto checkpoints = RankCheckpoints::open(dir_ / "run" / "task", 0, {{"model", "tiny"}});
      for (std::int64_t step = 1; checkpoints.ok(); ++step) {
        std::fill(state.begin(), state.end(), static_cast<float>(step));
        (void)checkpoints->write(step, {{"s", state.data(), static_cast<std::int64_t>(state.size())}},
                                 Json());
        if (step > 1) checkpoints->remove(step - 1);
      }
      ::_exit(1);
    }
    // Any moment from before the first file to after several: the loop of the child has no end.
    ::usleep(static_cast<useconds_t>(700 * kill * kill));
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
    std::vector<float> state(1 << 18);
    auto again = RankCheckpoints::open(dir_ / "run" / "task", 0, {{"model", "tiny"}});
    ASSERT_TRUE(again.ok());
    for (const std::int64_t step : again->steps()) {
      const auto shard = again->read(step, {{"s", nullptr, static_cast<std::int64_t>(state.size())}});
      ASSERT_TRUE(shard.ok()) << format_errors(shard.errors());
      EXPECT_EQ(*static_cast<const float*>(shard->data(0)), static_cast<float>(step));
    }
    again->remove_all();
  }
}

}  // namespace
}  // namespace sxb::data
