// The ssh transport against real sshd.
#include "base/build_info.h"
#include "e2e/net/net_cluster.h"

namespace sxb::e2e {
namespace {

using ::testing::HasSubstr;

class OverSsh : public OnNetwork {
 protected:
  std::string reason_of_the_only_task() {
    const auto ends = records(record::kind::kTaskEnd);
    EXPECT_EQ(ends.size(), 1u);
    return ends.empty() ? "" : ends[0].data["reason"].get<std::string>();
  }
};

TEST_F(OverSsh, RunsOnTwoAndFourNodes) {
  ASSERT_NO_FATAL_FAILURE(boot(4));
  if (IsSkipped()) return;
  std::vector<std::string> arguments =
      run_arguments(write_cluster(net_->config("ssh", 1)), "check,nccl,sft,report");
  arguments.insert(arguments.end(), {"--nodes", "2,4"});
  const Ended run = sxbench(arguments);
  ASSERT_EQ(run.status.text(), "exit code 0") << run.err;
  const auto ends = records(record::kind::kTaskEnd);
  ASSERT_EQ(ends.size(), 5u) << "check, then nccl and sft on 2 and on 4";
  std::map<std::string, std::string> hosts;
  for (const auto& node : records(record::kind::kNode)) hosts[node.node] = node.data["hostname"];
  EXPECT_EQ(
      hosts,
      (std::map<std::string, std::string>{
          {"node001", "node001"}, {"node002", "node002"}, {"node003", "node003"}, {"node004", "node004"}}));
  EXPECT_TRUE(fs::exists(latest() / "samples" / (ends.back().task + "-node004.jsonl")));
}

TEST_F(OverSsh, ANodeWithAnotherHostKeyIsNotTalkedTo) {
  ASSERT_NO_FATAL_FAILURE(boot(2));
  if (IsSkipped()) return;
  ASSERT_EQ(net_->shell("new_host_key node001"), 0) << net_->output();
  const Ended run = sxbench(run_arguments(write_cluster(net_->config("ssh", 1)), "nccl"));
  EXPECT_EQ(run.status.text(), "exit code 4") << run.err;
  EXPECT_EQ(reason_of_the_only_task(),
            "node node001 was lost: its ssh host key is not the one that is known");
}

TEST_F(OverSsh, ANodeWithoutSxbenchSaysSo) {
  ASSERT_NO_FATAL_FAILURE(boot(2));
  if (IsSkipped()) return;
  Json json = net_->config("ssh", 1);
  json["paths"] = {{"program", "/opt/no such place/sxbench"}};
  sxbench(run_arguments(write_cluster(json), "nccl"));
  EXPECT_THAT(reason_of_the_only_task(), HasSubstr("/opt/no such place/sxbench is not there"));
}

TEST_F(OverSsh, ANodeThatRefusesTheKeyIsNamed) {
  ASSERT_NO_FATAL_FAILURE(boot(2));
  if (IsSkipped()) return;
  ASSERT_EQ(net_->shell(": > $dir/authorized_keys"), 0);
  sxbench(run_arguments(write_cluster(net_->config("ssh", 1)), "nccl"));
  EXPECT_THAT(reason_of_the_only_task(), HasSubstr("was lost: it refuses the login: "));
}

TEST_F(OverSsh, ANodeThatIsOffIsUnreachableWithinTheConnectTimeout) {
  ASSERT_NO_FATAL_FAILURE(boot(2));
  if (IsSkipped()) return;
  ASSERT_EQ(net_->shell("power_off node002"), 0) << net_->output();
  Json json = net_->config("ssh", 1);
  json["timeouts"] = {{"connect_s", 2}};
  const Ended run = sxbench(run_arguments(write_cluster(json), "nccl"));
  EXPECT_THAT(reason_of_the_only_task(), HasSubstr("node node002 was lost: no ssh connection: "));
  EXPECT_LT(run.seconds, 20 * pace());
}

TEST_F(OverSsh, AnAgentThatIsKilledIsNamedWithItsSignal) {
  ASSERT_NO_FATAL_FAILURE(boot(2));
  if (IsSkipped()) return;
  Json json = net_->config("ssh", 1);
  json["env"] = {{"SXB_FAKE_FAULT", "deadlock:0:nccl"}};
  launch::ProcessSet processes;
  const int id = start(processes, run_arguments(write_cluster(json), "nccl"));
  ASSERT_GT(id, 0);
  EXPECT_EQ(net_->shell(
                fmt::format("for i in $(seq 100); do on node002 pkill -KILL -f '^{} worker agent' && break; "
                            "sleep 0.1; done",
                            SXB_BINARY)),
            0);
  collect(processes, [](const std::string&) {});
  EXPECT_EQ(reason_of_the_only_task(),
            "the agent on node node002 ended: killed by signal 9 (SIGKILL) (logs/node002.log)");
}

TEST_F(OverSsh, ANodeWithAnotherBuildSaysWhatToDeploy) {
  ASSERT_NO_FATAL_FAILURE(boot(2));
  if (IsSkipped()) return;
  // Another build is this one with another version in its build id, put over it on node002 alone.
  std::string bytes = *read_file(SXB_BINARY);
  const std::string version = std::string(sxb::version()) + "+", other = "9" + version.substr(1);
  int replaced = 0;
  for (std::size_t at = bytes.find(version); at != std::string::npos; at = bytes.find(version, at + 1)) {
    bytes.replace(at, version.size(), other);
    ++replaced;
  }
  ASSERT_GT(replaced, 0);
  const fs::path copy = dir_ / "sxbench";
  std::ofstream(copy, std::ios::binary) << bytes;
  fs::permissions(copy, fs::perms::owner_all);
  ASSERT_EQ(net_->shell(fmt::format("on node002 mount --bind {} {}", copy.string(), SXB_BINARY)), 0)
      << net_->output();
  const Ended run = sxbench(run_arguments(write_cluster(net_->config("ssh", 1)), "nccl"));
  EXPECT_EQ(run.status.text(), "exit code 4") << run.err;
  EXPECT_THAT(reason_of_the_only_task(), HasSubstr("node node002 runs another sxbench than the head: \"9."));
  EXPECT_THAT(run.err, HasSubstr("help: put the head's sxbench on it: sxbench deploy"));
}

TEST_F(OverSsh, TheRendezvousIsAtTheConfiguredAddress) {
  ASSERT_NO_FATAL_FAILURE(boot(2));
  if (IsSkipped()) return;
  const auto meets_at = [&](const Json& rendezvous) {
    Json json = net_->config("ssh", 1);
    json["rendezvous"] = rendezvous;
    json["env"] = {{"SXB_FAKE_ECHO", "rendezvous"}};
    const Ended run = sxbench(run_arguments(write_cluster(json), "check"));
    const auto devices = records(record::kind::kDevice);
    if (devices.size() != 2) return records(record::kind::kTaskEnd).at(0).data["reason"].get<std::string>();
    EXPECT_EQ(devices[0].data["name"], devices[1].data["name"]);
    return devices[0].data["name"].get<std::string>();
  };
  EXPECT_EQ(meets_at(Json::object()), "node001");
  EXPECT_EQ(meets_at({{"interface", "eth0"}}), "198.18.0.1");
  EXPECT_EQ(meets_at({{"interface", "eth0"}, {"family", "ipv6"}}), "fd77::1");
  EXPECT_EQ(meets_at({{"family", "ipv4"}}), "198.18.0.1");
  EXPECT_EQ(meets_at({{"host", "node001"}, {"family", "ipv6"}}), "fd77::1");
  EXPECT_THAT(meets_at({{"interface", "eth1"}}),
              HasSubstr("there is no interface eth1; did you mean \"eth0\"?"));
}

TEST_F(OverSsh, AFanOutOfOneReachesAllNodes) {
  ASSERT_NO_FATAL_FAILURE(boot(3));
  if (IsSkipped()) return;
  Json json = net_->config("ssh", 1);
  json["fanout"] = 1;
  json["ssh"]["persist_s"] = 0;
  const Ended run = sxbench(run_arguments(write_cluster(json), "check"));
  EXPECT_EQ(run.status.text(), "exit code 0") << run.err;
}

}  // namespace
}  // namespace sxb::e2e
