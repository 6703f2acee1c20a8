// Trainings of the real engine on CPU ranks whose run is killed and resumed: the journal has every step once,
// with the loss that it has without.
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <map>

#include "e2e/faults.h"
#include "record/kinds/kinds.h"
#include "record/typed.h"

namespace sxb::e2e {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::int64_t kSteps = 120;

class Checkpoint : public Faults {
 protected:
  void SetUp() override {
    Faults::SetUp();
    env_["SXBENCH_ENGINE_LIB"] = SXB_ENGINE;
    // Not the subject here, and a busy machine makes ranks slow.
    timeouts_ = {
        {"rank_silence_s", 60}, {"agent_silence_s", 60}, {"stall_s", 120}, {"stop_s", 1}, {"evidence_s", 1}};
  }

  std::vector<std::string> arguments(const std::vector<std::string>& more = {}) {
    std::vector<std::string> all = {"run",
                                    "--cluster",
                                    marked_cluster(2, 1, Json::object()),
                                    "--phases",
                                    "sft,report",
                                    "--models",
                                    "tiny",
                                    "--nodes",
                                    "2",
                                    "--steps",
                                    std::to_string(kSteps),
                                    "--warmup",
                                    "5",
                                    "--set",
                                    "data.dataset=synthetic",
                                    "--set",
                                    "training.sharding=full",
                                    "--out",
                                    results().string()};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  std::vector<std::string> saving() {
    return arguments({"--set", "training.checkpoint.every_steps=1", "--set",
                      "training.checkpoint.folder=" + (dir_ / "checkpoints").string()});
  }

  /// Of the last record of each step.
  std::map<std::int64_t, double> losses() {
    std::map<std::int64_t, double> by_step;
    for (const record::Record& record : records(record::kind::kStep)) {
      const auto step = record::read<record::Step>(record);
      by_step[*step.step] = *step.loss;
    }
    return by_step;
  }
  std::size_t saved() { return records("checkpoint").size(); }
  /// Kills the head once the journal has told of two checkpoints more; its agents end the ranks.
  void kill_after_two(const std::vector<std::string>& command) {
    const std::size_t before = fs::exists(latest() / "records.jsonl") ? saved() : 0;
    launch::ProcessSet processes;
    const int id = start(processes, command);
    ASSERT_TRUE(wait_until(
        processes, [&] { return saved() >= before + 2 || !processes.running(id); }, 120));
    ASSERT_TRUE(processes.running(id)) << "it ended before it could be killed";
    send_signal(processes, id, SIGKILL);
    while (!processes.empty()) processes.poll(100, [](const auto&) {});
    launch::ProcessSet none;
    ASSERT_TRUE(wait_until(
        none, [&] { return ranks().empty(); }, 60))
        << "ranks outlived their head";
  }
};

TEST_F(Checkpoint, AKilledRunGoesOnWithTheSameLosses) {
  const Ended whole = sxbench(arguments());
  ASSERT_EQ(whole.status.text(), "exit code 0") << whole.err;
  const auto expected = losses();
  ASSERT_EQ(expected.size(), static_cast<std::size_t>(kSteps));
  fs::remove_all(results());

  kill_after_two(saving());
  const fs::path run = fs::canonical(latest());
  kill_after_two({"run", "--resume", run.string()});
  const Ended last = sxbench({"run", "--resume", run.string()});
  ASSERT_EQ(last.status.text(), "exit code 0") << last.err;
  EXPECT_THAT(last.err, HasSubstr("1 of 1 tasks ok"));

  EXPECT_EQ(losses(), expected);
  const std::vector<record::Record> resumed = records("resumed");
  ASSERT_EQ(resumed.size(), 2u);
  EXPECT_GE(resumed.front().data["step"], 2) << "two were told of before the kill";
  EXPECT_GE(resumed.back().data["step"], resumed.front().data["step"]);
  EXPECT_EQ(records(record::kind::kTaskStart).size(), 3u);

  const std::string report = *read_file(latest() / "reports" / "summary_report.md");
  EXPECT_THAT(report, AllOf(HasSubstr("### Checkpoints"), HasSubstr("Resumed after step"),
                            HasSubstr("`training_resumed`"), Not(HasSubstr("`steps_not_recorded`"))));
  const Result<Json> summary = load_json(latest() / "summary.json");
  ASSERT_TRUE(summary.ok());
  // The folder itself is the user's.
  EXPECT_TRUE(fs::is_empty(dir_ / "checkpoints")) << "a training with a result has no use for them";
}

TEST_F(Checkpoint, RanksThatFailAreTriedAgainFromTheLastOne) {
  launch::ProcessSet processes;
  std::vector<std::string> command = saving();
  command.insert(command.end(), {"--retries", "1"});
  const int id = start(processes, command);
  ASSERT_TRUE(wait_until(
      processes, [&] { return saved() >= 2 || !processes.running(id); }, 120));
  ASSERT_TRUE(processes.running(id));
  hit(process_of(1), SIGKILL);
  const Ended run = collect(processes, [](const std::string&) {});
  EXPECT_EQ(run.status.text(), "exit code 0") << run.err;
  ASSERT_EQ(records("resumed").size(), 1u);
  EXPECT_GE(records("resumed").front().data["step"], 2);
  EXPECT_EQ(losses().size(), static_cast<std::size_t>(kSteps));
}

TEST_F(Checkpoint, AFolderThatCannotBeWrittenFailsItsNode) {
  std::ofstream(dir_ / "file") << "no folder";
  const Ended run = sxbench(arguments({"--set", "training.checkpoint.every_steps=5", "--set",
                                       "training.checkpoint.folder=" + (dir_ / "file" / "x").string()}));
  EXPECT_EQ(run.status.text(), "exit code 4") << run.err;
  EXPECT_THAT(run.err, HasSubstr("cannot write checkpoints"));
}

/// A small file system of its own for the checkpoints.
class CheckpointDisk : public Checkpoint {
 protected:
  void SetUp() override {
    Checkpoint::SetUp();
    fs::create_directory(dir_ / "checkpoints");
    const bool own = ::geteuid() == 0 && ::unshare(CLONE_NEWNS) == 0 &&
                     ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
    if (!own) GTEST_SKIP() << "needs root, to mount a small file system";
  }
  void TearDown() override {
    ::umount2((dir_ / "checkpoints").c_str(), MNT_DETACH);
    Checkpoint::TearDown();
  }
  void mount_disk(const char* size) const {
    ASSERT_EQ(::mount("tmpfs", (dir_ / "checkpoints").c_str(), "tmpfs", 0, size), 0);
  }
};

TEST_F(CheckpointDisk, WithoutRoomNothingStarts) {
  mount_disk("size=1m");
  const Ended run = sxbench(saving());
  EXPECT_EQ(run.status.text(), "exit code 4") << run.err;
  EXPECT_THAT(run.err, AllOf(HasSubstr("the checkpoints of model tiny do not fit: 3 of"),
                             HasSubstr("from 2 ranks"), HasSubstr("training.checkpoint.keep=1")));
  EXPECT_FALSE(fs::exists(results())) << "it was refused before the run began";
}

TEST_F(CheckpointDisk, OneThatFillsUpLaterEndsNothing) {
  mount_disk("size=200m");
  launch::ProcessSet processes;
  std::vector<std::string> command = saving();
  // None goes for the next one, so that each needs room of its own.
  command.insert(command.end(), {"--set", "training.checkpoint.keep=50"});
  const int id = start(processes, command);
  ASSERT_TRUE(wait_until(
      processes, [&] { return saved() >= 2 || !processes.running(id); }, 120));
  {
    std::ofstream filler(dir_ / "checkpoints" / "filler", std::ios::binary);
    while (filler) filler << std::string(1 << 16, 'x') << std::flush;
  }
  const Ended run = collect(processes, [](const std::string&) {});
  EXPECT_EQ(run.status.text(), "exit code 0") << run.err;
  EXPECT_EQ(losses().size(), static_cast<std::size_t>(kSteps));
  ASSERT_FALSE(findings("checkpoint_failed").empty());
  EXPECT_THAT(findings("checkpoint_failed").front().data["message"].get<std::string>(),
              HasSubstr("No space left on device"));
}

}  // namespace
}  // namespace sxb::e2e
