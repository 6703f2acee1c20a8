// What breaks while a run works: ranks, agents, the head, the engine.
#include <signal.h>

#include <chrono>
#include <thread>

#include "e2e/fixture.h"
#include "launch/run.h"

namespace sxb::e2e {
namespace {

using ::testing::HasSubstr;

TEST_F(EndToEnd, AKilledRankIsNamedAndTheNextTaskStillRuns) {
  const std::string file = cluster(2, 2, {{"SXB_FAKE_FAULT", "sigkill:3:nccl"}});
  const Ended run = sxbench(run_arguments(file, "nccl,sft,report"));
  EXPECT_EQ(run.status.text(), "exit code 5") << run.err;
  EXPECT_LT(run.seconds, 30);
  const auto ends = records(record::kind::kTaskEnd);
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_EQ(ends[0].data["status"], "failed");
  EXPECT_EQ(ends[0].data["failed_node"], "n1");
  EXPECT_EQ(ends[0].data["failed_rank"], 3);
  EXPECT_THAT(ends[0].data["reason"].get<std::string>(),
              HasSubstr("rank 3 on node n1 ended: killed by signal 9"));
  EXPECT_EQ(ends[1].data["status"], "ok");
  EXPECT_TRUE(fs::exists(latest() / "reports" / "summary_report.md"));
}

TEST_F(EndToEnd, TheErrorOfARankIsTheReason) {
  const Ended run = sxbench(run_arguments(cluster(1, 2, {{"SXB_FAKE_FAULT", "error:1:sft"}}), "sft"));
  EXPECT_EQ(run.status.text(), "exit code 1") << run.err;
  const auto ends = records(record::kind::kTaskEnd);
  ASSERT_EQ(ends.size(), 1u);
  EXPECT_EQ(ends[0].data["reason"], "rank 1 on node n0: the loss is not a number");
  EXPECT_THAT(run.err, HasSubstr("not a number\n      help: lower the learning rate\n"));
  EXPECT_EQ(ends[0].data["failed_rank"], 1);
}

TEST_F(EndToEnd, AReasonOutweighsThePeersThatItCutOff) {
  const Ended run = sxbench(run_arguments(cluster(1, 2, {{"SXB_FAKE_FAULT", "disk:0:sft"}}), "sft"));
  EXPECT_EQ(run.status.text(), "exit code 4") << run.err;
  EXPECT_EQ(records(record::kind::kTaskEnd).at(0).data["reason"],
            "rank 0 on node n0: no space left on device");
}

TEST_F(EndToEnd, AFolderThatCannotTakeTheWeightsFailsAtOnce) {
  std::vector<std::string> arguments = run_arguments(cluster(1, 2), "sft");
  arguments.insert(arguments.end(), {"--save", "/proc/weights"});
  const Ended run = sxbench(arguments);
  EXPECT_EQ(run.status.text(), "exit code 4") << run.err;
  EXPECT_THAT(run.err, HasSubstr("help: choose a folder that you may write to with --save"));
  EXPECT_TRUE(records(record::kind::kStep).empty());
}

TEST_F(EndToEnd, TheLogOfANodeTellsHowItsRanksEnded) {
  sxbench(run_arguments(cluster(1, 2, {{"SXB_FAKE_FAULT", "sigkill:1:nccl"}}), "nccl"));
  const Result<std::string> log = read_file(latest() / "logs" / "n0.log");
  ASSERT_TRUE(log.ok());
  EXPECT_THAT(*log, HasSubstr("info nccl all_reduce on 1 node: rank 0 is process "));
  EXPECT_THAT(*log, HasSubstr("error rank 1 ended: killed by signal 9 (SIGKILL)"));
}

TEST_F(EndToEnd, AnUnknownExitCodeIsATaskFailure) {
  const Ended run = sxbench(run_arguments(cluster(1, 1, {{"SXB_FAKE_FAULT", "exit:0:sft"}}), "sft"));
  EXPECT_EQ(run.status.text(), "exit code 1") << run.err;
  EXPECT_THAT(records(record::kind::kTaskEnd).at(0).data["reason"].get<std::string>(),
              HasSubstr("exit code 17"));
}

TEST_F(EndToEnd, AMissingEngineSaysHowToGetIt) {
  env_["SXBENCH_ENGINE_LIB"] = (dir_ / "no-engine.so").string();
  const Ended run = sxbench(run_arguments(cluster(1, 2), "sft"));
  EXPECT_EQ(run.status.text(), "exit code 4") << run.err;
  const auto findings = records(record::kind::kFinding);
  ASSERT_FALSE(findings.empty());
  EXPECT_THAT(findings[0].data["help"].get<std::string>(), HasSubstr("scripts/setup.sh"));
  EXPECT_THAT(records(record::kind::kTaskEnd).at(0).data["reason"].get<std::string>(),
              HasSubstr("no-engine.so"));
}

TEST_F(EndToEnd, AnEngineOfAnotherBuildIsRefused) {
  env_["SXB_FAKE_BUILD"] = "1";
  const Ended run = sxbench(run_arguments(cluster(1, 1), "sft"));
  EXPECT_EQ(run.status.text(), "exit code 4") << run.err;
  EXPECT_THAT(records(record::kind::kTaskEnd).at(0).data["reason"].get<std::string>(),
              HasSubstr("another build"));
}

/// The processes that have `word` in their environment, given through the cluster config to ranks.
std::vector<pid_t> processes_with(const std::string& word) {
  std::vector<pid_t> pids;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream in(entry.path() / "environ", std::ios::binary);
    const std::string environment((std::istreambuf_iterator<char>(in)), {});
    if (environment.find(word) != std::string::npos) pids.push_back(std::stoi(name));
  }
  return pids;
}

TEST_F(EndToEnd, WhenTheHeadIsKilledItsAgentsAndRanksEnd) {
  const std::string mark = "SXB_MARK=" + dir_.string();
  const std::string file = cluster(2, 2, {{"SXB_FAKE_FAULT", "deadlock:0:sft"}, {"SXB_MARK", dir_.string()}});
  launch::ProcessSet processes;
  const int id = start(processes, run_arguments(file, "sft"));
  for (int i = 0; i < 200 && processes_with(mark).size() < 4; ++i) processes.poll(100, [](const auto&) {});
  ASSERT_EQ(processes_with(mark).size(), 4u);
  send_signal(processes, id, SIGKILL);
  collect(processes, [](const std::string&) {});
  for (int i = 0; i < 200 && !processes_with(mark).empty(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_TRUE(processes_with(mark).empty());
}

TEST_F(EndToEnd, CtrlCEndsTheTaskAndKeepsTheRecords) {
  const std::string mark = "SXB_MARK=" + dir_.string();
  const std::string file = cluster(2, 1, {{"SXB_FAKE_FAULT", "deadlock:0:sft"}, {"SXB_MARK", dir_.string()}});
  launch::ProcessSet processes;
  const int id = start(processes, run_arguments(file, "sft,report"));
  for (int i = 0; i < 200 && processes_with(mark).size() < 2; ++i) processes.poll(100, [](const auto&) {});
  send_signal(processes, id, SIGINT);
  const Ended run = collect(processes, [](const std::string&) {});
  EXPECT_EQ(run.status.text(), "exit code 130") << run.err;
  EXPECT_LT(run.seconds, 10);
  ASSERT_EQ(records(record::kind::kTaskEnd).size(), 1u);
  EXPECT_EQ(records(record::kind::kTaskEnd)[0].data["status"], "interrupted");
  EXPECT_EQ(records(record::kind::kRunEnd).at(0).data["exit_code"], 130);
  EXPECT_TRUE(processes_with(mark).empty());
}

/// Runs one task in this process, where the bounds can be short.
class Bounded : public EndToEnd {
 protected:
  launch::TaskOutcome execute(const std::string& fault, launch::TaskSettings settings,
                              launch::Bounds bounds) {
    launch::RunOptions options;
    options.cluster.name = "bounded";
    options.cluster.transport = config::TransportKind::kLocal;
    options.cluster.device = config::DeviceKind::kCpu;
    options.cluster.env = env_;
    options.cluster.env["SXB_FAKE_FAULT"] = fault;
    for (const char* name : {"n0", "n1"}) {
      config::Node node;
      node.name = name;
      node.slots = 1;
      options.cluster.nodes.push_back(node);
    }
    options.layout = launch::resolve_layout(options.cluster, {{}, 2, 1LL << 30}).value();
    plan::Task task;
    task.id = "0123456789ab";
    task.phase = plan::Phase::kNccl;
    task.nodes = 2;
    task.sweep.max_bytes = 64;
    options.tasks = {task};
    options.name = "bounded";
    options.results = results();
    options.program = SXB_BINARY;
    options.settings = settings;
    options.bounds = bounds;
    launch::Observer observer;
    const auto transport = launch::local_transport();
    const Result<launch::RunOutcome> outcome = launch::execute(options, *transport, observer);
    EXPECT_TRUE(outcome.ok()) << format_errors(outcome.errors());
    return outcome.ok() ? outcome->tasks.at(0) : launch::TaskOutcome{};
  }
};

TEST_F(Bounded, ARankThatIsFrozenIsNamed) {
  launch::TaskSettings settings;
  settings.heartbeat_timeout_ns = 1'600'000'000;
  const launch::TaskOutcome outcome = execute("freeze:1:nccl", settings, {});
  EXPECT_EQ(outcome.status, "failed");
  EXPECT_EQ(outcome.failed_node, "n1");
  EXPECT_EQ(outcome.failed_rank, 1);
  EXPECT_THAT(outcome.reason, HasSubstr("has sent nothing for"));
}

TEST_F(Bounded, RanksThatWaitForEachOtherForeverEndTheTask) {
  launch::Bounds bounds;
  bounds.stall_ns = 700'000'000;
  const launch::TaskOutcome outcome = execute("deadlock:0:nccl", {}, bounds);
  EXPECT_EQ(outcome.status, "failed");
  EXPECT_THAT(outcome.reason, HasSubstr("no rank has made progress"));
}

}  // namespace
}  // namespace sxb::e2e
