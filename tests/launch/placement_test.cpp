#include "launch/head/placement.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "launch/head/run.h"
#include "launch/transport/transports.h"

namespace sxb::launch {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

config::Cluster local_cluster(int nodes) {
  config::Cluster cluster;
  cluster.name = "test";
  cluster.source = "test.json";
  cluster.transport = config::TransportKind::kLocal;
  for (int i = 0; i < nodes; ++i) {
    config::Node node;
    node.name = "n" + std::to_string(i);
    node.host = "localhost";
    cluster.nodes.push_back(node);
  }
  return cluster;
}

Machine machine_with(int gpus, int cpus = 8) {
  Machine machine;
  machine.cpus = cpus;
  machine.memory_bytes = 16LL << 30;
  for (int i = 0; i < gpus; ++i) {
    machine.gpus.push_back({i, "NVIDIA Unheard-Of", "", "", 80LL << 30});
  }
  return machine;
}

TEST(Placement, WithoutGpusThereAreCpuRanks) {
  const Result<Placement> one = resolve_placement(local_cluster(1), machine_with(0));
  ASSERT_TRUE(one.ok());
  EXPECT_FALSE(one->facts.cuda);
  EXPECT_EQ(one->world(1), 2);
  EXPECT_EQ(one->cpu_threads, 4);
  const Result<Placement> eight = resolve_placement(local_cluster(8), machine_with(0, 2));
  ASSERT_TRUE(eight.ok());
  EXPECT_EQ(eight->world(8), 8);
  EXPECT_EQ(eight->cpu_threads, 1);
}

TEST(Placement, OneNodeTakesAllGpus) {
  const Result<Placement> placement = resolve_placement(local_cluster(1), machine_with(4));
  ASSERT_TRUE(placement.ok()) << format_errors(placement.errors());
  EXPECT_TRUE(placement->facts.cuda);
  EXPECT_THAT(placement->nodes[0].gpus, ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(placement->peak_tflops, 0) << "no MFU against a guessed peak";
}

TEST(Placement, RefusesAGpuThatIsNotThere) {
  config::Cluster cluster = local_cluster(1);
  cluster.nodes[0].gpus = {0, 9};
  const Result<Placement> placement = resolve_placement(cluster, machine_with(4));
  ASSERT_FALSE(placement.ok());
  EXPECT_THAT(placement.error().what, HasSubstr("GPU 9"));
  EXPECT_EQ(placement.error().where, "test.json:/nodes/0/gpus");
}

TEST(Placement, RefusesLocalNodesThatShareAGpu) {
  const Result<Placement> placement = resolve_placement(local_cluster(2), machine_with(4));
  ASSERT_FALSE(placement.ok());
  EXPECT_THAT(placement.error().what, HasSubstr("both own GPU 0"));
}

TEST(Placement, CudaWithoutGpuIsAnEnvironmentError) {
  config::Cluster cluster = local_cluster(1);
  cluster.device = config::DeviceKind::kCuda;
  const Result<Placement> placement = resolve_placement(cluster, machine_with(0));
  ASSERT_FALSE(placement.ok());
  EXPECT_EQ(placement.error().code, ExitCode::kEnvironment);
}

TEST(Placement, RemoteNodesNeedAGpuCount) {
  config::Cluster cluster = local_cluster(2);
  cluster.transport = config::TransportKind::kSsh;
  EXPECT_FALSE(resolve_placement(cluster, machine_with(0)).ok());
  cluster.gpu.per_node = 8;
  const Result<Placement> placement = resolve_placement(cluster, machine_with(0));
  ASSERT_TRUE(placement.ok()) << format_errors(placement.errors());
  EXPECT_EQ(placement->world(2), 16);
}

TEST(AgentTasks, NumberRanksNodeMajorAndShareOneRendezvous) {
  config::Cluster cluster = local_cluster(2);
  cluster.nodes[0].gpus = {0, 1};
  cluster.nodes[1].gpus = {2, 3};
  cluster.nccl_env = {{"NCCL_ALGO", "Tree"}};
  const Result<Placement> placement = resolve_placement(cluster, machine_with(4));
  ASSERT_TRUE(placement.ok());
  plan::Task task;
  task.id = "0123456789ab";
  task.phase = plan::Phase::kNccl;
  task.nodes = 2;
  const TaskSettings settings;
  const AgentTasks made(cluster, *placement, task, settings, 1234, "token");
  ASSERT_EQ(made.size(), 2);
  const std::vector<AgentTask> agents = {made[0], made[1]};
  ASSERT_EQ(agents[1].ranks.size(), 2u);
  const plan::RankTask& rank = agents[1].ranks[1];
  EXPECT_EQ(rank.rank, 3);
  EXPECT_EQ(rank.world, 4);
  EXPECT_EQ(rank.local_rank, 1);
  EXPECT_EQ(rank.node_rank, 1);
  EXPECT_EQ(rank.ranks_per_node, 2);
  EXPECT_EQ(rank.memory_bytes, placement->facts.memory_bytes);
  EXPECT_EQ(rank.gpu, 3);
  EXPECT_EQ(rank.rendezvous_host, "127.0.0.1");
  EXPECT_EQ(rank.rendezvous_port, 1234);
  EXPECT_EQ(rank_environment(agents[1], rank).at("CUDA_VISIBLE_DEVICES"), "3");
  EXPECT_EQ(rank_environment(agents[1], rank).at("NCCL_ALGO"), "Tree");
  task.phase = plan::Phase::kGpu;  // copies between two GPUs need both in one process
  const AgentTasks measuring(cluster, *placement, task, settings, 1234, "token");
  EXPECT_EQ(rank_environment(measuring[1], measuring[1].ranks[1]).at("CUDA_VISIBLE_DEVICES"), "3,2");
  task.phase = plan::Phase::kLocate;  // in a ring the slowest link shows, whatever the profile says
  EXPECT_EQ(AgentTasks(cluster, *placement, task, settings, 1234, "token")[1].env.at("NCCL_ALGO"), "Ring");

  const Result<AgentTask> back = parse_agent_task(to_json(agents[1]), "test");
  ASSERT_TRUE(back.ok()) << format_errors(back.errors());
  EXPECT_EQ(to_json(*back).dump(), to_json(agents[1]).dump());
  EXPECT_EQ(back->ranks[1].task.id, task.id);
}

TEST(AgentTasks, ABrokenTaskIsAnErrorNotACrash) {
  EXPECT_FALSE(parse_agent_task(Json::object(), "test").ok());
  EXPECT_FALSE(parse_agent_task(Json::parse(R"({"build_id": 7})"), "test").ok());
}

TEST(Transport, AutoIsLocalForOneNodeAndSshForMore) {
  config::Cluster cluster = local_cluster(1);
  cluster.transport = config::TransportKind::kAuto;
  EXPECT_TRUE(reaches_only_this_machine(cluster));
  cluster = local_cluster(2);
  EXPECT_TRUE(reaches_only_this_machine(cluster));
  cluster.transport = config::TransportKind::kAuto;
  EXPECT_EQ(transport_of(cluster).kind, config::TransportKind::kSsh);
  EXPECT_FALSE(reaches_only_this_machine(cluster));
}

TEST(Transport, ADryRunStartsNothingAndTellsEveryCommand) {
  RunOptions options;
  options.cluster = local_cluster(3);
  options.placement = *resolve_placement(options.cluster, machine_with(0));
  options.program = "/nonexistent/sxbench";
  plan::Task task;
  task.nodes = 3;
  options.tasks = {task};
  std::vector<std::string> nodes;
  const auto transport = dry_run_transport(
      [&](const config::Node& node, const std::vector<std::string>& argv, const auto&, const std::string&) {
        nodes.push_back(node.name);
        EXPECT_THAT(argv, ElementsAre("/nonexistent/sxbench", "worker", "agent"));
      });
  ASSERT_TRUE(dry_run(options, *transport).ok());
  EXPECT_THAT(nodes, ElementsAre("n0", "n1", "n2"));
  const fs::path file = fs::path(::testing::TempDir()) / fmt::format("plan-{}.json", ::getpid());
  ASSERT_TRUE(write_plan(file, options).ok());
  const Result<Json> plan = load_json(file);
  ASSERT_TRUE(plan.ok()) << format_errors(plan.errors());
  ASSERT_EQ((*plan)["commands"].size(), 3u);
  EXPECT_EQ((*plan)["commands"][2]["node"], "n2");
  EXPECT_EQ((*plan)["commands"][2]["stdin"]["node_rank"], 2);
  EXPECT_EQ((*plan)["tasks"].size(), 1u);
  fs::remove(file);
}

TEST(ExitCodes, SumUpTheTasks) {
  const auto outcomes = [](const std::vector<ExitCode>& codes) {
    std::vector<TaskOutcome> tasks(codes.size());
    std::transform(codes.begin(), codes.end(), tasks.begin(), [](ExitCode code) {
      TaskOutcome task;
      task.code = code;
      return task;
    });
    return exit_code_of(tasks);
  };
  using enum ExitCode;
  EXPECT_EQ(outcomes({kOk, kOk}), kOk);
  EXPECT_EQ(outcomes({kOk, kTaskFailed}), kPartial);
  EXPECT_EQ(outcomes({kEnvironment, kEnvironment}), kEnvironment);
  EXPECT_EQ(outcomes({kEnvironment, kTaskFailed}), kTaskFailed);
}

}  // namespace
}  // namespace sxb::launch
