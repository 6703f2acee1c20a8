// Faults from outside: what is killed, frozen, cut off or filled up while a run works. Every verdict
// has a bound; each test asserts it and prints the time it took (docs/failures.md quotes them).
#include "e2e/faults.h"

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <random>

#include "base/units.h"

namespace sxb::e2e {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::int64_t kSecondNs = 1'000'000'000;

TEST_F(Faults, ARankThatIsKilledIsNamed) {
  timeouts_["stall_s"] = 60;
  const std::string file = marked_cluster(2, 2, {{"SXB_FAKE_FAULT", "deadlock:0:sft"}});
  launch::ProcessSet processes;
  start(processes, run_arguments(file, "sft"));
  ASSERT_TRUE(wait_until(processes, [&] { return process_of(3) > 0; }));
  const pid_t rank = process_of(3);
  const std::int64_t hit_ns = monotonic_ns();
  hit(rank, SIGKILL);
  const Ended run = collect(processes, [](const std::string&) {});
  EXPECT_EQ(run.status.text(), "exit code 1") << run.err;
  const auto end = records(record::kind::kTaskEnd).at(0).data;
  EXPECT_EQ(end["failed_node"], "n1");
  EXPECT_EQ(end["failed_rank"], 3);
  EXPECT_THAT(end["reason"].get<std::string>(), HasSubstr("rank 3 on node n1 ended: killed by signal 9"));
  expect_verdict("rank killed", hit_ns, 30, "none: the agent sees it end");
  EXPECT_TRUE(ranks().empty());
}

TEST_F(Faults, ARankThatIsFrozenIsNamedWithWhatItDid) {
  const std::string file = marked_cluster(
      2, 1, {{"SXB_FAKE_FAULT", "freeze:1:nccl"}, {"SXB_FAKE_ONCE", (dir_ / "once").string()}});
  const Ended run = sxbench(run_arguments(file, "nccl,sft"));
  EXPECT_EQ(run.status.text(), "exit code 5") << run.err;
  const auto ends = records(record::kind::kTaskEnd);
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_EQ(ends[0].data["failed_node"], "n1");
  EXPECT_EQ(ends[0].data["failed_rank"], 1);
  EXPECT_EQ(ends[1].data["status"], "ok") << "the next task runs";
  expect_verdict("rank hangs, no heartbeat", device_record_ns(1), kSilence * pace() + slack(),
                 "timeouts.rank_silence_s");
  const auto states = findings("rank_state");
  ASSERT_FALSE(states.empty());
  EXPECT_EQ(states[0].rank, 1);
  EXPECT_THAT(states[0].data["message"].get<std::string>(),
              AllOf(HasSubstr("rank 1 on node n1"), HasSubstr("state T (stopped)")));
}

/// As a suspend, a hypervisor or a debugger stops the head: for longer than a node may be silent.
TEST_F(Faults, AHeadThatWasAwayBlamesNobody) {
  const std::string file = marked_cluster(3, 1, {{"SXB_FAKE_STEP_MS", "100"}});
  std::vector<std::string> arguments = run_arguments(file, "sft");
  *std::find(arguments.begin(), arguments.end(), "3") = "100";
  arguments.insert(arguments.end(), {"--nodes", "2", "--spares", "n2"});
  launch::ProcessSet processes;
  const int head = start(processes, arguments);
  ASSERT_TRUE(wait_until(processes, [&] { return process_of(0) > 0 && process_of(1) > 0; }));
  send_signal(processes, head, SIGSTOP);
  std::this_thread::sleep_for(std::chrono::seconds(kAgentSilence * pace() + 2));
  const std::int64_t back_ns = monotonic_ns();
  send_signal(processes, head, SIGCONT);
  const Ended run = collect(processes, [](const std::string&) {});
  EXPECT_EQ(run.status.text(), "exit code 0") << run.err;
  ASSERT_FALSE(findings("head_paused").empty());
  EXPECT_THAT(findings("head_paused")[0].data["message"].get<std::string>(),
              HasSubstr("the head did not run for "));
  tell("head stopped, from when it runs again", seconds_since(back_ns, findings("head_paused")[0].mono_ns),
       slack(), "none", findings("head_paused")[0].data["message"]);
  EXPECT_TRUE(findings("node_replaced").empty());
  EXPECT_EQ(records(record::kind::kTaskEnd).size(), 1u);
}

TEST_F(Faults, AHeadThatIsAwayForAMomentLosesNothing) {
  timeouts_["agent_silence_s"] = 20 * pace();
  timeouts_["stall_s"] = 20 * pace();
  timeouts_["rank_silence_s"] = 20 * pace();
  const std::string file = marked_cluster(2, 1, {{"SXB_FAKE_STEP_MS", "50"}});
  std::vector<std::string> arguments = run_arguments(file, "sft");
  *std::find(arguments.begin(), arguments.end(), "3") = "400";
  launch::ProcessSet processes;
  const int head = start(processes, arguments);
  ASSERT_TRUE(wait_until(processes, [&] { return process_of(0) > 0 && process_of(1) > 0; }));
  std::mt19937 random(std::random_device{}());
  for (int i = 0; i < 10; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(std::uniform_int_distribution(0, 300)(random)));
    send_signal(processes, head, SIGSTOP);
    std::this_thread::sleep_for(std::chrono::milliseconds(1200));
    send_signal(processes, head, SIGCONT);
  }
  const Ended run = collect(processes, [](const std::string&) {});
  EXPECT_EQ(run.status.text(), "exit code 0") << run.err;
  EXPECT_EQ(records(record::kind::kTaskEnd).size(), 1u);
  EXPECT_EQ(records(record::kind::kStep).size(), 400u);
  EXPECT_GE(findings("head_paused").size(), 5u);
}

TEST_F(Faults, RanksThatWaitForEachOtherEndTheTaskWithTheStateOfEach) {
  const std::string file = marked_cluster(2, 2, {{"SXB_FAKE_FAULT", "deadlock:0:nccl"}});
  const Ended run = sxbench(run_arguments(file, "nccl,sft"));
  EXPECT_EQ(run.status.text(), "exit code 5") << run.err;
  EXPECT_THAT(records(record::kind::kTaskEnd).at(0).data["reason"].get<std::string>(),
              HasSubstr(fmt::format("no rank has made progress for {}",
                                    format_duration(kSilence * pace() * kSecondNs))));
  expect_verdict("ranks hang, with heartbeats", device_record_ns(0), kSilence * pace() + slack(),
                 "timeouts.stall_s");
  std::vector<int> seen;
  for (const auto& state : findings("rank_state")) seen.push_back(state.rank);
  std::sort(seen.begin(), seen.end());
  EXPECT_THAT(seen, ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(*read_file(latest() / "logs" / "n1.log"), HasSubstr("rank 3 on node n1, process"));
}

TEST_F(Faults, AnAgentThatIsKilledIsNamedAndItsRanksEnd) {
  timeouts_["stall_s"] = 60;
  const std::string file = marked_cluster(2, 1, {{"SXB_FAKE_FAULT", "deadlock:0:sft"}});
  launch::ProcessSet processes;
  start(processes, run_arguments(file, "sft"));
  ASSERT_TRUE(wait_until(processes, [&] { return process_of(1) > 0; }));
  const pid_t agent = parent_of(process_of(1));
  const std::int64_t hit_ns = monotonic_ns();
  hit(agent, SIGKILL);
  const Ended run = collect(processes, [](const std::string&) {});
  EXPECT_EQ(run.status.text(), "exit code 4") << run.err;
  EXPECT_THAT(records(record::kind::kTaskEnd).at(0).data["reason"].get<std::string>(),
              HasSubstr("the agent on node n1 ended: killed by signal 9"));
  expect_verdict("agent dies", hit_ns, 30, "none: the transport sees it end");
  EXPECT_TRUE(ranks().empty());
}

TEST_F(Faults, ANodeThatFallsSilentIsNamed) {
  timeouts_["stall_s"] = 60;
  const std::string file = marked_cluster(2, 1, {{"SXB_FAKE_FAULT", "deadlock:0:sft"}});
  launch::ProcessSet processes;
  start(processes, run_arguments(file, "sft"));
  ASSERT_TRUE(wait_until(processes, [&] { return process_of(1) > 0; }));
  const pid_t agent = parent_of(process_of(1));
  const std::int64_t hit_ns = monotonic_ns();
  hit(agent, SIGSTOP);
  const Ended run = collect(processes, [](const std::string&) {});
  EXPECT_EQ(run.status.text(), "exit code 4") << run.err;
  EXPECT_THAT(records(record::kind::kTaskEnd).at(0).data["reason"].get<std::string>(),
              HasSubstr(fmt::format("node n1 has sent nothing for {}",
                                    format_duration(kAgentSilence * pace() * kSecondNs))));
  expect_verdict("node silent", hit_ns, kAgentSilence * pace() + slack(), "timeouts.agent_silence_s");
  EXPECT_TRUE(ranks().empty());
}

TEST_F(Faults, WhenTheHeadIsKilledItsAgentsAndRanksEnd) {
  timeouts_["stall_s"] = 60;
  const std::string file = marked_cluster(2, 2, {{"SXB_FAKE_FAULT", "deadlock:0:sft"}});
  launch::ProcessSet processes;
  const int id = start(processes, run_arguments(file, "sft"));
  ASSERT_TRUE(wait_until(processes, [&] { return ranks().size() == 4 && process_of(3) > 0; }));
  const pid_t agent = parent_of(process_of(3));
  const std::int64_t hit_ns = monotonic_ns();
  send_signal(processes, id, SIGKILL);
  collect(processes, [](const std::string&) {});
  launch::ProcessSet none;
  EXPECT_TRUE(wait_until(
      none, [&] { return ranks().empty() && parent_of(agent) == 0; }, 30));
  tell("head killed", static_cast<double>(monotonic_ns() - hit_ns) * 1e-9, 30, "timeouts.stop_s",
       "agents and ranks have ended");
}

TEST_F(Faults, OneCtrlCKeepsTheRecordsAndTellsHowToGoOn) {
  timeouts_["stall_s"] = 60;
  const std::string file = marked_cluster(2, 1, {{"SXB_FAKE_FAULT", "deadlock:0:sft"}});
  launch::ProcessSet processes;
  const int id = start(processes, run_arguments(file, "nccl,sft,report"));
  ASSERT_TRUE(wait_until(processes, [&] { return records(record::kind::kTaskStart).size() == 2; }));
  ASSERT_TRUE(wait_until(processes, [&] { return process_of(0) > 0 && process_of(1) > 0; }));
  const std::int64_t hit_ns = monotonic_ns();
  send_signal(processes, id, SIGINT);
  const Ended run = collect(processes, [](const std::string&) {});
  tell("Ctrl-C", static_cast<double>(monotonic_ns() - hit_ns) * 1e-9, 1 + slack(), "timeouts.stop_s",
       "ended");
  EXPECT_EQ(run.status.text(), "exit code 130") << run.err;
  EXPECT_LT(run.seconds, 1 + slack());
  const auto ends = records(record::kind::kTaskEnd);
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_EQ(ends[0].data["status"], "ok");
  EXPECT_EQ(ends[1].data["status"], "interrupted");
  EXPECT_EQ(records(record::kind::kRunEnd).at(0).data["exit_code"], 130);
  EXPECT_THAT(run.err, HasSubstr("to do what is missing: sxbench run --resume " + dir_.string()));
  EXPECT_TRUE(fs::exists(latest() / "reports" / "summary_report.md"));
  EXPECT_TRUE(ranks().empty());
}

TEST_F(Faults, ASecondCtrlCEndsARankThatWillNotEnd) {
  timeouts_["stall_s"] = 60;
  timeouts_["stop_s"] = 40;
  const std::string file = marked_cluster(2, 1, {{"SXB_FAKE_FAULT", "stubborn:0:sft"}});
  launch::ProcessSet processes;
  const int id = start(processes, run_arguments(file, "sft"));
  ASSERT_TRUE(wait_until(processes, [&] { return process_of(0) > 0 && process_of(1) > 0; }));
  // Until SIGTERM is ignored.
  ASSERT_TRUE(wait_until(processes,
                         [&] { return ignores_sigterm(process_of(0)) && ignores_sigterm(process_of(1)); }));
  send_signal(processes, id, SIGINT);
  wait_until(
      processes, [] { return false; }, 1);
  ASSERT_EQ(ranks().size(), 2u) << "a single Ctrl-C waits for them";
  const std::int64_t hit_ns = monotonic_ns();
  send_signal(processes, id, SIGINT);
  const Ended run = collect(processes, [](const std::string&) {});
  tell("Ctrl-C twice", static_cast<double>(monotonic_ns() - hit_ns) * 1e-9, slack(), "none", "ended");
  EXPECT_EQ(run.status.text(), "exit code 130") << run.err;
  EXPECT_LT(run.seconds, slack());
  launch::ProcessSet none;
  EXPECT_TRUE(wait_until(
      none, [&] { return ranks().empty(); }, slack()));
}

TEST_F(Faults, AJumpOfTheWallClockIsAFindingAndSpoilsNoInterval) {
  env_["LD_PRELOAD"] = SXB_CLOCK_SHIM;
  env_["ASAN_OPTIONS"] = "verify_asan_link_order=0";
  env_["SXB_CLOCK_JUMP"] = (dir_ / "jump").string();
  const std::string file = marked_cluster(1, 1, {{"SXB_FAKE_STEP_MS", "300"}});
  launch::ProcessSet processes;
  start(processes, run_arguments(file, "sft"));
  ASSERT_TRUE(wait_until(processes, [&] { return !records(record::kind::kStep).empty(); }));
  std::ofstream(dir_ / "jump") << "now";
  const std::int64_t jump_ns = monotonic_ns();
  const Ended run = collect(processes, [](const std::string&) {});
  EXPECT_EQ(run.status.text(), "exit code 0") << run.err;
  std::vector<std::string> messages;
  for (const auto& jump : findings("clock_jump")) messages.push_back(jump.data["message"]);
  EXPECT_THAT(messages, ::testing::UnorderedElementsAre("the wall clock of the head jumped by +3600.0 s",
                                                        "the wall clock of node n0 jumped by +3600.0 s"));
  tell("wall clock set", seconds_since(jump_ns, findings("clock_jump")[0].mono_ns), slack(), "none",
       findings("clock_jump")[0].data["message"]);
  EXPECT_LT(records(record::kind::kTaskEnd).at(0).data["duration_s"].get<double>(), 600);
  for (const auto& step : records(record::kind::kStep))
    EXPECT_LT(step.data["step_time_ms"].get<double>(), 60'000);
}

TEST_F(Faults, ATaskThatFailedIsTriedAgain) {
  const std::string file = marked_cluster(
      2, 1, {{"SXB_FAKE_FAULT", "sigkill:1:nccl"}, {"SXB_FAKE_ONCE", (dir_ / "once").string()}});
  std::vector<std::string> arguments = run_arguments(file, "nccl,report");
  arguments.insert(arguments.end(), {"--retries", "1"});
  const Ended run = sxbench(arguments);
  EXPECT_EQ(run.status.text(), "exit code 0") << run.err;
  const auto starts = records(record::kind::kTaskStart);
  ASSERT_EQ(starts.size(), 2u);
  EXPECT_EQ(starts[1].data["attempt"], 2);
  EXPECT_EQ(starts[1].task, starts[0].task);
  ASSERT_EQ(findings("task_retried").size(), 1u);
  EXPECT_THAT(*read_file(latest() / "reports" / "summary_report.md"),
              HasSubstr("attempt 1 failed and is tried"));
  EXPECT_TRUE(fs::exists(latest() / "samples" / (starts[0].task + "-n0.jsonl.attempt1")));
  EXPECT_TRUE(fs::exists(latest() / "samples" / (starts[0].task + "-n0.jsonl")));
}

TEST_F(Faults, ASpareTakesThePlaceOfANodeThatFailed) {
  const std::string file =
      marked_cluster(4, 1, {{"SXB_FAKE_FAULT", "disk:1:nccl"}, {"SXB_FAKE_ONCE", (dir_ / "once").string()}});
  std::vector<std::string> arguments = run_arguments(file, "nccl,sft,report");
  arguments.insert(arguments.end(), {"--spares", "n3", "--exclude", "n0"});
  const Ended run = sxbench(arguments);
  EXPECT_EQ(run.status.text(), "exit code 0") << run.err;
  std::vector<std::string> nodes;
  for (const auto& start : records(record::kind::kTaskStart)) nodes.push_back(start.data["nodes"].dump());
  EXPECT_THAT(nodes, ElementsAre(R"(["n1","n2"])", R"(["n1","n3"])", R"(["n1","n3"])"));
  ASSERT_EQ(findings("node_replaced").size(), 1u);
  EXPECT_THAT(findings("node_replaced")[0].data["message"].get<std::string>(),
              HasSubstr("no space left on device; node n3 takes the place of node n2"));
  EXPECT_THAT(run.err, HasSubstr("node n3 takes the place of n2"));
  EXPECT_THAT(*read_file(latest() / "reports" / "summary_report.md"), HasSubstr("`node_replaced`"));
}

TEST_F(Faults, AnExcludedNodeThatTheClusterLacksIsNamed) {
  std::vector<std::string> arguments = run_arguments(cluster(2, 1), "nccl");
  arguments.insert(arguments.end(), {"--exclude", "n7"});
  const Ended run = sxbench(arguments);
  EXPECT_EQ(run.status.text(), "exit code 2");
  EXPECT_THAT(run.err, AllOf(HasSubstr("no node \"n7\""), HasSubstr("--exclude")));
}

/// A file system of its own that fills up, in a mount namespace that ends with this process.
class FullDisk : public Faults {
 protected:
  void SetUp() override {
    Faults::SetUp();
    disk_ = dir_ / "disk";
    fs::create_directory(disk_);
    const bool mounted = ::geteuid() == 0 && ::unshare(CLONE_NEWNS) == 0 &&
                         ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                         ::mount("tmpfs", disk_.c_str(), "tmpfs", 0, "size=256k") == 0;
    if (!mounted) GTEST_SKIP() << "needs root, to mount a small file system";
  }
  void TearDown() override {
    ::umount2(disk_.c_str(), MNT_DETACH);
    Faults::TearDown();
  }
  fs::path disk_;
};

TEST_F(FullDisk, OnTheHeadEndsTheRunAndLosesNothingThatWasWritten) {
  const std::string file = marked_cluster(
      1, 1, {{"SXB_FAKE_FAULT", "chatter:0:sft"}, {"SXB_FAKE_ONCE", (dir_ / "once").string()}});
  std::vector<std::string> arguments = run_arguments(file, "nccl,sft");
  arguments.back() = (disk_ / "results").string();
  const Ended run = sxbench(arguments);
  EXPECT_EQ(run.status.text(), "exit code 4") << run.err;
  EXPECT_THAT(run.err, AllOf(HasSubstr("No space left on device"), HasSubstr("--out"),
                             HasSubstr("to do what is missing: sxbench run --resume")));
  EXPECT_TRUE(ranks().empty());
  tell("disk full on the head", run.seconds, 30, "none: the first write that fails",
       "No space left on device");

  ASSERT_EQ(::mount("tmpfs", disk_.c_str(), "tmpfs", MS_REMOUNT, "size=16m"), 0);
  const Ended resumed = sxbench({"run", "--resume", (disk_ / "results" / "latest").string()});
  EXPECT_EQ(resumed.status.text(), "exit code 0") << resumed.err;
  EXPECT_THAT(resumed.err, HasSubstr("resumed: 1 of 2 tasks have a result"));
}

TEST_F(FullDisk, OnANodeIsTheReasonOfTheTask) {
  Json json = *load_json(marked_cluster(2, 1, Json::object()));
  json["paths"] = {{"data", (disk_ / "data").string()}};
  std::ofstream(dir_ / "cluster.json") << json.dump();
  {
    std::ofstream filler(disk_ / "filler", std::ios::binary);
    filler << std::string(300 << 10, 'x');
  }
  std::vector<std::string> arguments = run_arguments((dir_ / "cluster.json").string(), "sft,nccl");
  for (std::string& word : arguments) {
    if (word == "data.dataset=synthetic") word = "data.dataset=cluster-ops";
  }
  const Ended run = sxbench(arguments);
  EXPECT_EQ(run.status.text(), "exit code 5") << run.err;
  const auto ends = records(record::kind::kTaskEnd);
  ASSERT_EQ(ends.size(), 2u);
  const auto failed = ends[0].data["status"] == "failed" ? ends[0] : ends[1];
  EXPECT_THAT(failed.data["reason"].get<std::string>(), HasSubstr("No space left on device"));
  EXPECT_THAT(failed.data["failed_node"].get<std::string>(), ::testing::StartsWith("n"));
  EXPECT_EQ(failed.data["exit_code"], 4);
  tell("disk full on a node", failed.data["verdict_s"], 30, "none: the write that fails",
       failed.data["reason"]);
}

}  // namespace
}  // namespace sxb::e2e
