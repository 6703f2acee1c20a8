// Trainings that are killed at any moment, also while a checkpoint is written: what they go on with has the
// bits of one that was not.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "engine/train/checkpoint_runs.h"

namespace sxb::engine::train {
namespace {

/// Not a test: a training in a process of its own, for Killed to kill. Appends its records to a file.
TEST(Child, DISABLED_Trains) {
  const char* text = std::getenv("SXB_CHILD_TASK");
  const char* out = std::getenv("SXB_CHILD_OUT");
  if (text == nullptr || out == nullptr) return;
  const auto json = parse_json(text, "SXB_CHILD_TASK");
  ASSERT_TRUE(json.ok());
  const auto task = plan::parse_rank_task(*json, "SXB_CHILD_TASK");
  ASSERT_TRUE(task.ok()) << format_errors(task.errors());
  int fd = ::open(out, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  ASSERT_GE(fd, 0);
  const auto append = [](void* user, const char* line) {
    const std::string whole = std::string(line) + "\n";  // one write: no part of it is there without the rest
    if (::write(*static_cast<int*>(user), whole.data(), whole.size()) < 0) std::abort();
  };
  run_gloo(task->world, [&](comm::Communicator& comm) {
    plan::RankTask own = *task;
    own.rank = comm.rank();
    own.local_world = own.ranks_per_node;
    own.local_rank = own.rank % own.local_world;
    own.node_rank = own.rank / own.local_world;
    at::set_num_threads(1);
    run_training(own, comm, Emitter(append, &fd));
  });
}

class Killed : public testing::TestWithParam<Shape> {
 protected:
  const TemporaryDir dir_;
  const fs::path folder_ = dir_.path() / "run" / "task";

  pid_t start(const plan::RankTask& task) const {
    const std::string json = dump(plan::to_json(task));
    const pid_t child = ::fork();
    if (child != 0) return child;
    ::setenv("SXB_CHILD_TASK", json.c_str(), 1);
    ::setenv("SXB_CHILD_OUT", out().c_str(), 1);
    const int null = ::open("/dev/null", O_WRONLY);
    ::dup2(null, STDOUT_FILENO);
    ::execl("/proc/self/exe", "child", "--gtest_also_run_disabled_tests",
            "--gtest_filter=Child.DISABLED_Trains", static_cast<char*>(nullptr));
    ::_exit(127);
  }
  std::string out() const { return (dir_.path() / "records").string(); }
  std::vector<Json> records() const {
    std::vector<Json> all;
    std::ifstream in(out());
    // The last may still be being written.
    for (std::string line; std::getline(in, line) && !in.eof();) all.push_back(Json::parse(line));
    return all;
  }
  /// Steps 1 to this have their records, as a head finds them in its journal.
  std::int64_t recorded_steps() const {
    std::set<std::int64_t> steps;
    for (const Json& line : records()) {
      if (line.at("kind") == record::kind::kStep)
        steps.insert(line.at("data").at("step").get<std::int64_t>());
    }
    std::int64_t last = 0;
    while (steps.count(last + 1) > 0) ++last;
    return last;
  }
};

TEST_P(Killed, AtAnyMomentTheLossesAreThose) {
  const char* given = std::getenv("SXB_TEST_SEED");
  const unsigned seed = given != nullptr ? static_cast<unsigned>(std::stoul(given)) : std::random_device()();
  std::cout << "SXB_TEST_SEED=" << seed << "\n";
  std::mt19937 random(seed);
  plan::RankTask task = shape_task(GetParam(), folder_);
  task.task.model.training.checkpoint = {0, 1, "", 2};  // always one under way
  plan::RankTask plain = task;
  plain.checkpoint_dir.clear();
  SeenRecords expected;
  train_ranks(plain, expected);

  int kills = 0;
  for (int attempt = 0; attempt < 60; ++attempt) {
    const std::size_t before = records().size();
    task.recorded_steps = recorded_steps();
    const pid_t child = start(task);
    ASSERT_GT(child, 1);
    // After so many records more and some milliseconds, while they last; later lives are longer.
    const std::size_t life = kills < 4 ? std::uniform_int_distribution<std::size_t>(0, 9)(random)
                                       : std::numeric_limits<std::size_t>::max();
    const auto more = std::chrono::microseconds(std::uniform_int_distribution<int>(0, 15'000)(random));
    int status = 0;
    bool ended = false;
    while (!ended && (life == std::numeric_limits<std::size_t>::max() || records().size() < before + life)) {
      ended = ::waitpid(child, &status, WNOHANG) == child;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    if (!ended) {
      std::this_thread::sleep_for(more);
      ::kill(child, SIGKILL);
      ASSERT_EQ(::waitpid(child, &status, 0), child);
    }
    if (WIFSIGNALED(status)) {
      ++kills;
      continue;
    }
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0)
        << "the training failed after " << kills << " kills";
    break;
  }
  EXPECT_GE(kills, 1);
  std::map<std::int64_t, double> losses;
  std::int64_t resumed = 0;
  for (const Json& line : records()) {
    const Json& data = line.at("data");
    if (line.at("kind") == record::Resumed::kKind)
      resumed = std::max(resumed, data.at("step").get<std::int64_t>());
    if (line.at("kind") != record::kind::kStep) continue;
    const std::int64_t step = data.at("step");
    losses[step] = data.at("loss");
    EXPECT_EQ(losses[step], expected.losses.at(step)) << "step " << step;
  }
  EXPECT_EQ(losses, expected.losses);
  std::cout << kills << " kills, the last life went on after step " << resumed << "\n";
  EXPECT_FALSE(fs::exists(folder_));
}
INSTANTIATE_TEST_SUITE_P(Shapes, Killed, testing::ValuesIn(kShapes), shape_name);

}  // namespace
}  // namespace sxb::engine::train
