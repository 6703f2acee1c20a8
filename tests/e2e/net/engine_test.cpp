// Real ranks on many nodes: they meet across the network, over Gloo, and give figures.
#include "e2e/net/net_cluster.h"

namespace sxb::e2e {
namespace {

using ::testing::HasSubstr;

class RealRanks : public OnNetwork {
 protected:
  void SetUp() override {
    OnNetwork::SetUp();
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

}  // namespace
}  // namespace sxb::e2e
