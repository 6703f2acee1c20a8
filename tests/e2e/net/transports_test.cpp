// The same run over each transport, against real sshd, pdsh and Slurm.
#include <set>

#include "base/text.h"
#include "e2e/net/net_cluster.h"

namespace sxb::e2e {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

class Transports : public OnNetwork {
 protected:
  /// check, nccl and sft on 2 and on 4 nodes; what a figure is called, per kind of record.
  std::map<std::string, std::set<std::string>> fields_of_a_run(const Json& config,
                                                               std::vector<std::string> flags = {}) {
    std::vector<std::string> arguments = run_arguments(write_cluster(config), "check,nccl,sft,report");
    arguments.insert(arguments.end(), {"--nodes", "2,4"});
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    const Ended run = sxbench(arguments);
    EXPECT_EQ(run.status.text(), "exit code 0") << run.err;
    EXPECT_EQ(records(record::kind::kTaskEnd).size(), 5u) << "check, then nccl and sft on 2 and on 4";
    std::map<std::string, std::string> hosts;
    for (const auto& node : records(record::kind::kNode)) hosts[node.node] = node.data["hostname"];
    EXPECT_EQ(
        hosts,
        (std::map<std::string, std::string>{
            {"node001", "node001"}, {"node002", "node002"}, {"node003", "node003"}, {"node004", "node004"}}));
    std::map<std::string, std::set<std::string>> fields;
    for (const char* kind : {record::kind::kNode, record::kind::kDevice, record::kind::kCollective,
                             record::kind::kStep, record::kind::kTaskEnd}) {
      for (const auto& record : records(kind)) {
        for (const auto& item : record.data.items()) fields[kind].insert(item.key());
      }
    }
    return fields;
  }
};

TEST_F(Transports, SshPdshAndSlurmGiveTheSameFieldsOfFigures) {
  ASSERT_NO_FATAL_FAILURE(boot(4, true));
  if (IsSkipped()) return;
  const auto over_ssh = fields_of_a_run(net_->config("ssh", 1));
  const auto over_pdsh = fields_of_a_run(net_->config("pdsh", 1));
  EXPECT_EQ(over_pdsh, over_ssh);
  Json slurm = net_->config("slurm", 1);
  slurm["slurm"] = {{"partition", "all"}, {"time", "10"}};
  const auto over_slurm = fields_of_a_run(slurm);
  EXPECT_EQ(over_slurm, over_ssh);
  EXPECT_EQ(net_->shell("for i in $(seq 50); do [ -z \"$(squeue --noheader)\" ] && break; sleep 0.1; done; "
                        "[ -z \"$(squeue --noheader)\" ]"),
            0)
      << "the allocation is given back";
}

TEST_F(Transports, AHostfileIsEnough) {
  ASSERT_NO_FATAL_FAILURE(boot(3));
  if (IsSkipped()) return;
  // No cluster config: ssh's own says that node002 listens on port 44222 and which key to take.
  const std::string file = (dir_ / "hosts").string();
  std::ofstream(file) << "# three nodes\nnode001 slots=1\nnode002 slots=2\nnode003:1\n";
  for (const char* transport : {"auto", "pdsh"}) {
    const Ended run = sxbench({"check", "--hostfile", file, "--device", "cpu", "--transport", transport,
                               "--connect-timeout", "5", "--fanout", "2", "--out", results().string()});
    ASSERT_EQ(run.status.text(), "exit code 0") << transport << "\n" << run.err;
    EXPECT_EQ(records(record::kind::kDevice).size(), 4u);
    EXPECT_THAT(run.out, HasSubstr("node[001-003]  (3 nodes)\n"));
    EXPECT_THAT(run.out, HasSubstr("  eth0     up, ")) << "the same on all nodes: said once";
  }
}

/// node003 can only be reached from other nodes: by way of node002, whose sshd listens on a port of its own.
class BehindAJumpHost : public OnNetwork, public ::testing::WithParamInterface<const char*> {
 protected:
  std::string cluster_behind_node002() {
    EXPECT_EQ(net_->shell("ip route add blackhole 198.18.0.3 && ip -6 route add blackhole fd77::3"), 0)
        << net_->output();
    Json config = net_->config(GetParam(), 1);
    config["nodes"][2]["ssh_jump"] = "node002:44222";
    config["timeouts"] = {{"connect_s", 3}};
    config["ssh"]["persist_s"] = 0;
    return write_cluster(config);
  }
};

TEST_P(BehindAJumpHost, ANodeIsReached) {
  ASSERT_NO_FATAL_FAILURE(boot(3));
  if (IsSkipped()) return;
  const std::string file = cluster_behind_node002();
  const Ended run = sxbench(run_arguments(file, "check,sft"));
  EXPECT_EQ(run.status.text(), "exit code 0") << run.err;
  EXPECT_EQ(net_->shell("grep -Eq 'Accepted publickey for root from (198[.]18[.]0[.]2|fd77::2) ' "
                        "$dir/node003.sshd.log"),
            0)
      << "node002 was not the way";
}

TEST_P(BehindAJumpHost, ANodeIsNamedWhenTheJumpHostIsOff) {
  ASSERT_NO_FATAL_FAILURE(boot(3));
  if (IsSkipped()) return;
  const std::string file = cluster_behind_node002();
  ASSERT_EQ(net_->shell("power_off node002"), 0) << net_->output();
  std::vector<std::string> arguments = run_arguments(file, "check");
  arguments.insert(arguments.end(), {"--exclude", "node002"});
  const Ended run = sxbench(arguments);
  EXPECT_EQ(run.status.text(), "exit code 4") << run.err;
  EXPECT_THAT(records(record::kind::kTaskEnd).at(0).data["reason"].get<std::string>(),
              HasSubstr("node node003 was lost: no ssh connection"));
  EXPECT_LT(run.seconds, 30 * pace());
}

INSTANTIATE_TEST_SUITE_P(Over, BehindAJumpHost, ::testing::Values("ssh", "pdsh"),
                         [](const auto& transport) { return std::string(transport.param); });

class PdshTransport : public Transports {};

TEST_F(PdshTransport, TellsWhyANodeIsNotThere) {
  ASSERT_NO_FATAL_FAILURE(boot(2));
  if (IsSkipped()) return;
  ASSERT_EQ(net_->shell("new_host_key node002"), 0) << net_->output();
  sxbench(run_arguments(write_cluster(net_->config("pdsh", 1)), "nccl"));
  const auto ends = records(record::kind::kTaskEnd);
  ASSERT_EQ(ends.size(), 1u);
  EXPECT_EQ(ends[0].data["reason"], "node node002 was lost: its ssh host key is not the one that is known");
}

class SlurmTransport : public Transports {};

TEST_F(SlurmTransport, WorksInsideOfAnAllocationWithItsNodes) {
  ASSERT_NO_FATAL_FAILURE(boot(3, true));
  if (IsSkipped()) return;
  Json config = net_->config("auto", 1);
  config["nodes"] = Json::array({{{"name", "@slurm"}, {"slots", 1}}});
  const std::string file = write_cluster(config);
  // The script that is shipped, as docs/slurm.md has it called.
  const std::string job = fmt::format(
      "SXBENCH={0} SXBENCH_ENGINE_LIB={1} SXBENCH_CACHE={2}/cache sbatch --wait --nodes=2 -w node002,node003 "
      "--time=10 --output={2}/batch.out {3}/scripts/slurm/sxbench.sbatch run --cluster {4} --phases nccl "
      "--nodes 2 --out {5}",
      SXB_BINARY, SXB_FAKE_ENGINE, dir_.string(), SXB_SOURCE_DIR, file, results().string());
  ASSERT_EQ(net_->shell(job, 60), 0) << net_->output() << read_file(dir_ / "batch.out").value();
  const auto starts = records(record::kind::kTaskStart);
  ASSERT_EQ(starts.size(), 1u);
  EXPECT_EQ(starts[0].data["nodes"], Json({"node002", "node003"}));
  EXPECT_EQ(records(record::kind::kTaskEnd).at(0).data["status"], "ok");
}

TEST_F(SlurmTransport, AKilledRankIsNamed) {
  ASSERT_NO_FATAL_FAILURE(boot(2, true));
  if (IsSkipped()) return;
  Json config = net_->config("slurm", 1);
  config["env"] = {{"SXB_FAKE_FAULT", "sigkill:1:nccl"}};
  const Ended run = sxbench(run_arguments(write_cluster(config), "nccl,sft"));
  EXPECT_EQ(run.status.text(), "exit code 5") << run.err;
  const auto ends = records(record::kind::kTaskEnd);
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_THAT(ends[0].data["reason"].get<std::string>(),
              HasSubstr("rank 1 on node node002 ended: killed by signal 9"));
  EXPECT_EQ(ends[1].data["status"], "ok") << "the allocation serves the next task";
}

TEST_F(SlurmTransport, ContainerOptionsReachEveryNodeAsTheyAreWritten) {
#ifndef SXB_PYXIS_STAND_IN
  GTEST_SKIP() << "slurm/spank.h was not there when the tests were built (scripts/setup.sh --tests)";
#endif
  ASSERT_NO_FATAL_FAILURE(boot(2, true));
  if (IsSkipped()) return;
  Json config = net_->config("slurm", 1);
  config["slurm"] = {{"container_image", "/images/it's sxbench $(id).sqsh"},
                     {"container_mounts", {"/raid/sxbench:/raid/sxbench", "/opt/sxbench:/opt/sxbench:ro"}},
                     {"srun_options", {"--container-writable"}}};
  const Ended run = sxbench(run_arguments(write_cluster(config), "check"));
  ASSERT_EQ(run.status.text(), "exit code 0") << run.err;
  for (const char* node : {"node001", "node002"}) {
    const Result<std::string> seen = read_file(net_->dir() / (std::string(node) + ".pyxis"));
    ASSERT_TRUE(seen.ok()) << node << " saw no option";
    const std::vector<std::string> lines = split(*seen, '\n');  // Slurm tells an option more than once
    EXPECT_THAT(std::set<std::string>(lines.begin(), lines.end()),
                ::testing::UnorderedElementsAre(
                    "", "container-image=/images/it's sxbench $(id).sqsh",
                    "container-mounts=/raid/sxbench:/raid/sxbench,/opt/sxbench:/opt/sxbench:ro",
                    "container-writable="));
  }
}

/// That of the test: Slurm may take a moment. In a shell of its own: cluster.sh would end with it.
constexpr const char* kOneJobIsLeft =
    "(for i in $(seq 100); do [ \"$(squeue --noheader | wc -l)\" = 1 ] && exit 0; sleep 0.1; done; exit 1)";

TEST_F(SlurmTransport, AQueueThatDoesNotMoveEndsTheWait) {
  ASSERT_NO_FATAL_FAILURE(boot(2, true));
  if (IsSkipped()) return;
  ASSERT_EQ(net_->shell("salloc --quiet --exclusive -N2 sleep 60 & sleep 0.5"), 0);
  Json config = net_->config("slurm", 1);
  config["timeouts"] = {{"queue_s", 2}};
  const Ended run = sxbench(run_arguments(write_cluster(config), "nccl"));
  EXPECT_EQ(run.status.text(), "exit code 4") << run.err;
  EXPECT_LT(run.seconds, 20 * pace());
  EXPECT_THAT(records(record::kind::kTaskEnd).at(0).data["reason"].get<std::string>(),
              HasSubstr("Slurm granted no allocation within 2"));
  EXPECT_EQ(net_->shell(kOneJobIsLeft), 0) << "a request that was given up stays in the queue";
}

TEST_F(SlurmTransport, CtrlCIsHeardInTheQueue) {
  ASSERT_NO_FATAL_FAILURE(boot(2, true));
  if (IsSkipped()) return;
  ASSERT_EQ(net_->shell("salloc --quiet --exclusive -N2 sleep 60 & sleep 0.5"), 0);
  launch::ProcessSet processes;
  const int run = start(processes, run_arguments(write_cluster(net_->config("slurm", 1)), "nccl"));
  for (int i = 0; i < 200 && net_->shell("[ \"$(squeue --noheader | wc -l)\" = 2 ]") != 0; ++i) {
    processes.poll(100, [](const launch::ProcessEvent&) {});
  }
  send_signal(processes, run, SIGINT);
  EXPECT_EQ(collect(processes, [](const std::string&) {}).status.text(), "exit code 130");
  EXPECT_EQ(net_->shell(kOneJobIsLeft), 0) << "its request stays in the queue";
}

}  // namespace
}  // namespace sxb::e2e
