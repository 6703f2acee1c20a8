// Real ranks on many nodes: they meet across the network, over Gloo, and give figures.
#include "e2e/faults.h"
#include "e2e/net/net_cluster.h"

namespace sxb::e2e {
namespace {

using ::testing::HasSubstr;

class RealRanks : public FaultsOn<OnNetwork> {
 protected:
  void SetUp() override {
    FaultsOn<OnNetwork>::SetUp();
    engine_ = SXB_ENGINE;
    env_["SXBENCH_ENGINE_LIB"] = SXB_ENGINE;
  }

  static std::vector<std::string> short_run(const std::string& cluster, const std::string& nodes,
                                            const fs::path& out) {
    return {"run",   "--smoke",   "--cluster",       cluster, "--nodes",
            nodes,   "--phases",  "nccl,sft,report", "--set", "data.dataset=synthetic",
            "--out", out.string()};
  }
};

TEST_F(RealRanks, MeetOverEveryTransport) {
  ASSERT_NO_FATAL_FAILURE(boot(4, true));
  if (IsSkipped()) return;
  for (const char* transport : {"ssh", "pdsh", "slurm"}) {
    Json config = net_->config(transport, 1);
    config["rendezvous"] = {{"interface", "eth0"}, {"family", "ipv4"}};
    const Ended run = sxbench(short_run(write_cluster(config), "2,4", results()));
    ASSERT_EQ(run.status.text(), "exit code 0") << transport << "\n" << run.err;
    EXPECT_EQ(records(record::kind::kTaskEnd).size(), 4u);
    EXPECT_EQ(records(record::kind::kTraining).size(), 2u) << transport;
    EXPECT_FALSE(records(record::kind::kCollective).empty());
    for (const auto& device : records(record::kind::kDevice)) EXPECT_EQ(device.data["backend"], "gloo");
  }
}

TEST_F(RealRanks, RunsBesideEachOtherDoNotMeet) {
  ASSERT_NO_FATAL_FAILURE(boot(2));
  if (IsSkipped()) return;
  const std::string file = write_cluster(net_->config("ssh", 1));
  launch::ProcessSet processes;
  std::vector<int> runs;
  for (const char* out : {"one", "two"}) {
    runs.push_back(start(processes, short_run(file, "2", dir_ / out)));
  }
  std::map<int, std::string> ends;
  std::string said;
  const std::int64_t give_up = monotonic_ns() + 120'000'000'000;
  while (!processes.empty() && monotonic_ns() < give_up) {
    processes.poll(100, [&](const launch::ProcessEvent& event) {
      if (event.kind == launch::ProcessEvent::Kind::kExit) ends[event.id] = event.status.text();
      said += event.line + "\n";
    });
  }
  EXPECT_EQ(ends[runs[0]], "exit code 0") << said;
  EXPECT_EQ(ends[runs[1]], "exit code 0") << said;
}

/// What the ranks need to meet, and have not: known at once, and who says it.
TEST_F(RealRanks, WhereTheyCannotMeetIsToldAtOnce) {
  ASSERT_NO_FATAL_FAILURE(boot(2));
  if (IsSkipped()) return;
  ASSERT_EQ(
      net_->shell("on node001 python3 -c \"import socket, time; s = socket.socket(); s.bind(('', 45001)); "
                  "s.listen(); time.sleep(600)\" & sleep 1"),
      0)
      << net_->output();
  struct Case {
    const char* fault;
    Json rendezvous;
    const char* reason;
  };
  for (const Case& c :
       {Case{"rendezvous.host does not resolve", {{"host", "nowhere.invalid"}}, "does not resolve"},
        Case{
            "rendezvous.host is another machine's", {{"host", "198.18.0.254"}}, "no address of this machine"},
        Case{"rendezvous port taken by another program", {{"port", 45001}}, "port 45001"}}) {
    Json config = net_->config("ssh", 1);
    config["rendezvous"] = c.rendezvous;
    const Ended run = sxbench(short_run(write_cluster(config), "2", results()));
    EXPECT_EQ(run.status.text(), "exit code 4") << c.fault << "\n" << run.err;
    const auto end = records(record::kind::kTaskEnd).at(0).data;
    EXPECT_THAT(end["reason"].get<std::string>(), HasSubstr(c.reason));
    tell(std::string(c.fault) + ", of the start", end["verdict_s"], 20.0 * pace(), "none", end["reason"]);
    EXPECT_LT(end["verdict_s"].get<double>(), 20.0 * pace()) << "not after a time-out";
    fs::remove_all(results());
  }
}

/// Hosts that only the head's ssh config knows, as most small clusters are set up.
TEST_F(RealRanks, MeetWhereOnlySshKnowsTheNodes) {
  ASSERT_NO_FATAL_FAILURE(boot(2));
  if (IsSkipped()) return;
  std::ofstream(net_->dir() / "ssh_config", std::ios::app)
      << "Host big1.invalid\n  HostName 198.18.0.1\nHost big2.invalid\n  HostName 198.18.0.2\n  Port 44222\n";
  Json config = net_->config("ssh", 1);
  config["nodes"] = Json::array({{{"name", "big1"}, {"host", "big1.invalid"}, {"slots", 1}},
                                 {{"name", "big2"}, {"host", "big2.invalid"}, {"slots", 1}}});
  const Ended run = sxbench(short_run(write_cluster(config), "2", results()));
  EXPECT_EQ(run.status.text(), "exit code 0") << run.err;
  EXPECT_TRUE(findings("rendezvous_everywhere").empty());
}

}  // namespace
}  // namespace sxb::e2e
