// The engine as the worker uses it: dlopen, one process per rank, JSON across the border.
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <atomic>
#include <cstdio>
#include <functional>

#include "base/build_info.h"
#include "base/json.h"
#include "engine/support/ranks.h"
#include "plan/task.h"
#include "rendezvous/testing.h"
#include "sxbench/engine.h"

namespace sxb {
namespace {

using testing::HasSubstr;

const SxbEngine* load() {
  void* library = dlopen(SXB_ENGINE_LIBRARY, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    std::fprintf(stderr, "%s\n", dlerror());
    return nullptr;
  }
  using Entry = const SxbEngine* (*)();
  const auto entry = reinterpret_cast<Entry>(dlsym(library, "sxbench_engine"));
  return entry == nullptr ? nullptr : entry();
}

plan::RankTask task_of(int rank, int world, int port) {
  plan::RankTask task;
  task.task.id = "test";
  task.task.phase = plan::Phase::kNccl;
  task.task.sweep.max_bytes = 4096;
  task.task.sweep.step_factor = 8;
  task.task.sweep.iterations = 2;
  task.task.sweep.warmup = 1;
  task.node = "here";
  task.rank = rank;
  task.world = world;
  task.local_rank = rank;
  task.local_world = world;
  task.rendezvous_host = "127.0.0.1";
  task.rendezvous_port = port;
  task.token = "00112233445566778899aabbccddeeff";
  return task;
}

struct Outcome {
  int exit_code = -1;
  std::vector<Json> records;

  std::vector<Json> of(const std::string& kind) const {
    std::vector<Json> found;
    for (const Json& record : records) {
      if (record["kind"] == kind) found.push_back(record["data"]);
    }
    return found;
  }
};

/// The child's side: loads the engine, runs the rank and writes its records to the pipe, one a line.
[[noreturn]] void run_child(const std::string& task, int pipe) {
  const SxbEngine* engine = load();
  if (engine == nullptr) _exit(99);
  FILE* out = fdopen(pipe, "w");
  const SxbEmit emit = [](void* user, const char* json) {
    std::fprintf(static_cast<FILE*>(user), "%s\n", json);
  };
  const int code = engine->run_rank(task.c_str(), emit, out);
  std::fclose(out);
  _exit(code);
}

/// One process for each task text, at the same time.
std::vector<Outcome> run_processes(const std::vector<std::string>& tasks) {
  std::vector<int> pipes;
  std::vector<pid_t> children;
  for (const std::string& task : tasks) {
    int ends[2];
    if (pipe(ends) != 0) std::abort();
    const pid_t child = fork();
    if (child == 0) run_child(task, ends[1]);
    close(ends[1]);
    pipes.push_back(ends[0]);
    children.push_back(child);
  }
  std::vector<Outcome> outcomes;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    std::string text;
    char buffer[4096];
    for (ssize_t got = 0; (got = read(pipes[i], buffer, sizeof(buffer))) > 0;) {
      text.append(buffer, static_cast<std::size_t>(got));
    }
    close(pipes[i]);
    int status = 0;
    waitpid(children[i], &status, 0);
    Outcome outcome;
    outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = text.find('\n', at);
      outcome.records.push_back(Json::parse(text.substr(at, end - at)));
      at = end + 1;
    }
    outcomes.push_back(std::move(outcome));
  }
  return outcomes;
}

std::vector<Outcome> run_world(int world, const std::function<void(plan::RankTask&)>& change,
                               int port = engine::free_port()) {
  std::vector<std::string> tasks;
  for (int rank = 0; rank < world; ++rank) {
    auto task = task_of(rank, world, port);
    change(task);
    tasks.push_back(to_json(task).dump());
  }
  return run_processes(tasks);
}

TEST(Engine, DescribesItself) {
  const SxbEngine* engine = load();
  ASSERT_NE(engine, nullptr);
  EXPECT_EQ(engine->abi, kSxbEngineAbi);
  EXPECT_EQ(engine->build_id, build_id());
  const Json facts = Json::parse(engine->describe());
  EXPECT_THAT(facts["torch"].get<std::string>(), HasSubstr("."));
  EXPECT_THAT(facts["nccl"].get<std::string>(), HasSubstr("."));
  EXPECT_TRUE(facts["gloo"].get<bool>());
  EXPECT_TRUE(facts["devices"].is_array());
}

TEST(Engine, SweepsOnTwoProcessesWithExactData) {
  const auto outcomes = run_world(2, [](plan::RankTask&) {});
  for (const Outcome& outcome : outcomes) {
    EXPECT_EQ(outcome.exit_code, 0);
    ASSERT_EQ(outcome.of("device").size(), 1U);
    EXPECT_EQ(outcome.of("device")[0]["backend"], "gloo");
    EXPECT_TRUE(outcome.of("finding").empty());
  }
  const auto rows = outcomes[0].of("collective");
  ASSERT_EQ(rows.size(), 4U);  // 8, 64, 512, 4096
  for (const Json& row : rows) {
    EXPECT_EQ(row["out_of_place"]["wrong"], 0);
    EXPECT_EQ(row["in_place"]["wrong"], 0);
    EXPECT_EQ(row["ranks"], 2);
  }
  EXPECT_EQ(rows.back()["size_bytes"], 4096);
  EXPECT_EQ(outcomes[0].of("window").size(), 1U);
  EXPECT_TRUE(outcomes[1].of("collective").empty());
  EXPECT_TRUE(outcomes[1].of("window").empty());
}

TEST(Engine, ChecksThatRanksMeet) {
  for (const Outcome& outcome :
       run_world(3, [](plan::RankTask& task) { task.task.phase = plan::Phase::kCheck; })) {
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_EQ(outcome.records.size(), 1U);
  }
}

TEST(Engine, StrangersAtThePortAreAFindingAndChangeNothing) {
  const int port = engine::free_port();
  std::atomic<bool> over = false, was_there = false;
  std::thread stranger([&] {
    while (!over) {
      const rendezvous::Raw raw(port);
      if (raw.connected()) {
        raw.send(rendezvous::tcp_store_bytes());
        raw.end_of_speech();
        EXPECT_THAT(raw.read_all(), testing::Not(HasSubstr("rank")));
        was_there = true;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  });
  const auto outcomes = run_world(
      3, [](plan::RankTask&) {}, port);
  over = true;
  stranger.join();
  ASSERT_TRUE(was_there);
  for (const Outcome& outcome : outcomes) EXPECT_EQ(outcome.exit_code, 0);
  ASSERT_EQ(outcomes[0].of("finding").size(), 1U);
  const Json finding = outcomes[0].of("finding")[0];
  EXPECT_EQ(finding["severity"], "warning");
  EXPECT_EQ(finding["code"], "rendezvous_stranger");
  EXPECT_THAT(finding["message"].get<std::string>(), HasSubstr("127.0.0.1 ("));
  EXPECT_THAT(finding["help"].get<std::string>(), HasSubstr("rendezvous.port"));
  EXPECT_TRUE(outcomes[1].of("finding").empty());
  const auto rows = outcomes[0].of("collective");
  ASSERT_EQ(rows.size(), 4U);
  for (const Json& row : rows) EXPECT_EQ(row["out_of_place"]["wrong"], 0);
}

TEST(Engine, AWrongSweepIsAFindingAndAnExitCode) {
  for (const Outcome& outcome :
       run_world(2, [](plan::RankTask& task) { task.task.sweep.dtype = "bfloat16"; })) {
    EXPECT_EQ(outcome.exit_code, static_cast<int>(ExitCode::kUsage));
    ASSERT_EQ(outcome.of("finding").size(), 1U);
    const Json finding = outcome.of("finding")[0];
    EXPECT_EQ(finding["severity"], "error");
    EXPECT_EQ(finding["code"], "unsupported");
    EXPECT_THAT(finding["help"].get<std::string>(), HasSubstr("-d float"));
    EXPECT_TRUE(outcome.of("collective").empty());
  }
}

TEST(Engine, ATaskThatIsNotJsonIsAFinding) {
  const auto outcomes = run_processes({"{"});
  EXPECT_EQ(outcomes[0].exit_code, static_cast<int>(ExitCode::kUsage));
  ASSERT_EQ(outcomes[0].of("finding").size(), 1U);
  EXPECT_EQ(outcomes[0].of("finding")[0]["code"], "bad_task");
}

}  // namespace
}  // namespace sxb
