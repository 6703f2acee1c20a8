// Nodes that are reached by ssh, or not: names that only ssh knows, logins that print, nodes that are not
// there. An `ssh` of the tests' own stands in PATH and runs what is asked of it on this machine.
#include <arpa/inet.h>
#include <sys/stat.h>

#include <algorithm>

#include "e2e/faults.h"
#include "record/kinds/run.h"
#include "record/typed.h"

namespace sxb::e2e {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Absent : public Faults {
 protected:
  void SetUp() override {
    Faults::SetUp();
    timeouts_ = {{"connect_s", 5}, {"stall_s", 60}, {"agent_silence_s", 30}, {"stop_s", 1}};
    fs::create_directories(dir_ / "bin");
    fs::create_directories(dir_ / "down");
    std::ofstream(dir_ / "bin" / "ssh") << kSsh;
    ::chmod((dir_ / "bin" / "ssh").c_str(), 0755);
    env_["PATH"] = (dir_ / "bin").string() + ":" + std::getenv("PATH");
    env_["SXB_SSH_DIR"] = dir_.string();
  }

  /// Nodes n0, n1, ... at `hosts`, a rank each.
  std::string cluster_at(const std::vector<std::string>& hosts, const Json& more = Json::object(),
                         const Json& env = Json::object()) {
    Json nodes = Json::array();
    for (const std::string& host : hosts) {
      nodes.push_back({{"name", fmt::format("n{}", nodes.size())}, {"host", host}, {"slots", 1}});
    }
    Json json = {
        {"name", "test"}, {"transport", "ssh"}, {"device", "cpu"},      {"network", {{"fabric", "none"}}},
        {"nodes", nodes}, {"env", env},         {"timeouts", timeouts_}};
    json.update(more);
    std::ofstream(dir_ / "cluster.json") << json.dump();
    return (dir_ / "cluster.json").string();
  }

  /// As a machine that is off: its ssh says so at once. An empty file takes no login.
  void switch_off(const std::string& host) { std::ofstream(dir_ / "down" / host) << ""; }
  void switch_on(const std::string& host) { fs::remove(dir_ / "down" / host); }
  std::size_t logins(const std::string& host) const {
    const std::vector<std::string> hosts = split(text_of(dir_ / "logins"), '\n');
    return static_cast<std::size_t>(std::count(hosts.begin(), hosts.end(), host));
  }

  std::vector<std::string> lost_nodes() {
    std::vector<std::string> names;
    for (const record::Record& finding : findings("node_lost")) names.push_back(finding.node);
    std::sort(names.begin(), names.end());
    return names;
  }
  std::vector<std::string> nodes_of_starts() {
    std::vector<std::string> nodes;
    for (const auto& start : records(record::kind::kTaskStart)) nodes.push_back(start.data["nodes"].dump());
    return nodes;
  }
  std::vector<std::string> statuses() {
    std::vector<std::string> all;
    for (const auto& end : records(record::kind::kTaskEnd)) all.push_back(end.data["status"]);
    return all;
  }

  /// SXB_LOGIN_PRINTS: what a login prints first. A newline in the command ends csh's quotes.
  static constexpr const char* kSsh = R"sh(#!/bin/bash
while [ $# -gt 0 ]; do
  case $1 in
    -V) echo OpenSSH_9.2p1 >&2; exit 0 ;;
    -O) exit 0 ;;
    --) shift; host=$1; shift; break ;;
    -F|-o|-p|-l|-i|-J|-S) shift 2 ;;
    -*) shift ;;
    *) host=$1; shift; break ;;
  esac
done
echo "$host" >> "$SXB_SSH_DIR/logins"
if [ -e "$SXB_SSH_DIR/down/$host" ]; then
  echo "ssh: connect to host $host port 22: No route to host" >&2
  exit 255
fi
case "$*" in *$'\n'*) echo "Unmatched '." >&2; exit 1 ;; esac
[ -z "$SXB_LOGIN_PRINTS" ] || printf "$SXB_LOGIN_PRINTS"
exec "${SXB_LOGIN_SHELL:-/bin/sh}" -c "$*"
)sh";
};

TEST_F(Absent, ANameThatOnlySshKnowsIsNoNameForTheRanks) {
  const Ended run = sxbench(run_arguments(
      cluster_at({"h1.invalid", "h2.invalid"}, Json::object(), {{"SXB_FAKE_ECHO", "rendezvous"}}), "check"));
  if (run.status.code == 4) {  // a machine without a network
    EXPECT_THAT(run.err, AllOf(HasSubstr("h1.invalid does not resolve on this machine"),
                               HasSubstr("no address but loopback"), HasSubstr("rendezvous.host")));
    return;
  }
  ASSERT_EQ(run.status.text(), "exit code 0") << run.err;
  const auto devices = records(record::kind::kDevice);
  ASSERT_EQ(devices.size(), 2U);
  for (const auto& device : devices) {
    const std::string host = device.data["name"];
    char address[sizeof(in6_addr)];
    EXPECT_TRUE(::inet_pton(AF_INET, host.c_str(), address) == 1 ||
                ::inet_pton(AF_INET6, host.c_str(), address) == 1)
        << host;
  }
}

TEST_F(Absent, ALoginThatPrintsWithoutANewlineSpoilsNoAddress) {
  env_["SXB_LOGIN_PRINTS"] = "Welcome";
  const Ended run = sxbench(run_arguments(
      cluster_at({"127.0.0.1", "localhost"}, {{"rendezvous", {{"interface", "lo"}, {"family", "ipv4"}}}},
                 {{"SXB_FAKE_ECHO", "rendezvous"}}),
      "check"));
  ASSERT_EQ(run.status.text(), "exit code 0") << run.err;
  for (const auto& device : records(record::kind::kDevice)) EXPECT_EQ(device.data["name"], "127.0.0.1");
}

TEST_F(Absent, AllThatAreNotThereAreNamedInOnePass) {
  std::vector<std::string> hosts(12, "localhost");
  for (const int i : {0, 2, 5, 9, 11}) {
    hosts[static_cast<std::size_t>(i)] = fmt::format("off{}.invalid", i);
    switch_off(hosts[static_cast<std::size_t>(i)]);
  }
  const Ended run = sxbench({"check", "--cluster", cluster_at(hosts), "--out", results().string()});
  EXPECT_EQ(run.status.text(), "exit code 4") << run.err;
  EXPECT_THAT(lost_nodes(), ElementsAre("n0", "n11", "n2", "n5", "n9"));
  const auto end = record::read<record::TaskEnd>(records(record::kind::kTaskEnd).at(0));
  EXPECT_THAT(end.reason,
              AllOf(HasSubstr("No route to host"), HasSubstr("and 4 more nodes are not there: n[")));
  for (const auto& [name, number] : {std::pair("n0", 0), {"n2", 2}, {"n5", 5}, {"n9", 9}, {"n11", 11}}) {
    EXPECT_THAT(end.reason,
                AnyOf(HasSubstr(std::string("node ") + name + " "), HasSubstr(std::to_string(number))));
  }
  EXPECT_THAT(run.err, HasSubstr("and 4 more nodes are not there"));
  EXPECT_EQ(findings("node_left_out").size(), 0U) << "there is no later task";
  tell("several nodes unreachable", end.verdict_s.value_or(-1), 2 * 5, "timeouts.connect_s", end.reason);
}

TEST_F(Absent, LaterTasksDoNotTryThemAgain) {
  switch_off("off1");
  const std::string file = cluster_at({"localhost", "off1", "localhost", "localhost"});
  std::vector<std::string> arguments = run_arguments(file, "nccl,sft,report");
  arguments.insert(arguments.end(), {"--nodes", "2,4"});
  const Ended run = sxbench(arguments);
  EXPECT_EQ(run.status.text(), "exit code 5") << run.err;
  // Two nodes: the second is off. From then on three are left: enough for two, and not for four.
  const std::vector<std::string> nodes = nodes_of_starts();
  ASSERT_EQ(nodes.size(), 4U);
  EXPECT_EQ(nodes[0], R"(["n0","n1"])");
  for (std::size_t i = 1; i < nodes.size(); ++i) {
    EXPECT_THAT(nodes[i], AnyOf(R"(["n0","n2"])", R"(["n0","n2","n3"])"));
  }
  EXPECT_EQ(logins("off1"), 1U);
  const auto all = statuses();
  EXPECT_EQ(std::count(all.begin(), all.end(), "ok"), 1) << run.err;
  ASSERT_EQ(findings("node_left_out").size(), 1U) << "said once";
  EXPECT_THAT(
      findings("node_left_out")[0].data["message"].get<std::string>(),
      HasSubstr(
          "n1 was not there and is left out of the tasks that follow; 3 of the cluster's nodes are left"));
  EXPECT_THAT(run.err, AllOf(HasSubstr("n1 was not there and is left out"),
                             HasSubstr("needs 4 nodes as they were planned, and 3 are left")));

  switch_on("off1");
  const Ended again = sxbench({"run", "--resume", latest().string()});
  EXPECT_EQ(again.status.text(), "exit code 0") << again.err;
  EXPECT_GE(logins("off1"), 2U) << "a run that is resumed tries it again";
}

TEST_F(Absent, AsManySparesAsThereAreTakeTheirPlacesAtOnce) {
  switch_off("off0");
  switch_off("off1");
  const std::string file = cluster_at({"off0", "off1", "localhost", "localhost"});
  std::vector<std::string> arguments = run_arguments(file, "sft");
  arguments.insert(arguments.end(), {"--spares", "n[2-3]"});
  const Ended run = sxbench(arguments);
  EXPECT_EQ(run.status.text(), "exit code 0") << run.err;
  EXPECT_EQ(findings("node_replaced").size(), 1U);
  EXPECT_EQ(nodes_of_starts().size(), 2U);
}

TEST_F(Absent, AResumedRunGoesOnWithTheSpares) {
  switch_off("off1");
  const std::string file =
      cluster_at({"localhost", "off1", "localhost"}, Json::object(),
                 {{"SXB_FAKE_FAULT", "error:1:sft"}, {"SXB_FAKE_ONCE", (dir_ / "once").string()}});
  std::vector<std::string> arguments = run_arguments(file, "nccl,sft");
  arguments.insert(arguments.end(), {"--spares", "n2"});
  const Ended first = sxbench(arguments);
  EXPECT_EQ(first.status.text(), "exit code 5") << first.err;
  EXPECT_EQ(logins("off1"), 1U);
  const Ended second = sxbench({"run", "--resume", latest().string()});
  EXPECT_EQ(second.status.text(), "exit code 0") << second.err;
  EXPECT_EQ(nodes_of_starts().back(), R"(["n0","n2"])");
  EXPECT_EQ(logins("off1"), 1U) << "the node that was replaced is not tried again";
}

class Push : public Absent {
 protected:
  void SetUp() override {
    Absent::SetUp();
    if (::access("/usr/bin/rsync", X_OK) != 0)
      GTEST_SKIP() << "rsync is not installed (scripts/setup.sh --tests)";
    const Ended prepared =
        sxbench({"data", "prepare", "--dataset", "cluster-ops", "--seq-len", "64", "--out", source()});
    ASSERT_EQ(prepared.status.text(), "exit code 0") << prepared.err;
  }
  std::string source() const { return (dir_ / "prepared").string(); }
  Ended push() {
    return sxbench(
        {"data", "push", source(), "--cluster", cluster_at({"h1", "h2"}), "--to", (dir_ / "copy").string()});
  }
};

TEST_F(Push, ALoginThatPrintsIsNamedAsTheCause) {
  env_["SXB_LOGIN_PRINTS"] = "Welcome\n";
  const Ended run = push();
  EXPECT_EQ(run.status.text(), "exit code 4") << run.err;
  EXPECT_THAT(run.err,
              AllOf(HasSubstr("protocol version mismatch -- is your shell clean?"), HasSubstr("prints text"),
                    HasSubstr("true` must print nothing, and prints: Welcome")));
  EXPECT_THAT(run.err, testing::Not(HasSubstr("manpage")));
}

/// Every command is one line, in which csh finds nothing to replace.
TEST_F(Push, ALoginShellOfAnyKindTakesEveryCommand) {
  std::vector<std::string> shells = {"/bin/sh", "/bin/bash"};
  for (const char* shell : {"/bin/csh", "/bin/tcsh", "/usr/bin/fish", "/bin/zsh", "/bin/dash"}) {
    if (::access(shell, X_OK) == 0) shells.emplace_back(shell);
  }
  for (const std::string& shell : shells) {
    env_["SXB_LOGIN_SHELL"] = shell;
    fs::remove_all(dir_ / "copy");
    const Ended run = push();
    EXPECT_EQ(run.status.text(), "exit code 0") << shell << "\n" << run.err;
    const Ended check =
        sxbench({"check", "--cluster", cluster_at({"localhost", "localhost"}), "--out", results().string()});
    EXPECT_EQ(check.status.text(), "exit code 0") << shell << "\n" << check.err;
  }
}

/// The port that the head found free is another program's on the first node.
TEST_F(Faults, APortThatIsTakenOnTheFirstNodeIsAnotherOneTheNextTime) {
  const Json once = {{"SXB_FAKE_FAULT", "port:0:sft"}, {"SXB_FAKE_ONCE", (dir_ / "once").string()}};
  const Ended run = sxbench(run_arguments(cluster(1, 1, once), "sft"));
  EXPECT_EQ(run.status.text(), "exit code 0") << run.err;
  EXPECT_EQ(records(record::kind::kTaskStart).size(), 2U);
  ASSERT_EQ(findings("task_retried").size(), 1U);
  EXPECT_THAT(findings("task_retried")[0].data["message"].get<std::string>(),
              HasSubstr("Address already in use"));
  fs::remove_all(results());

  const Ended always = sxbench(run_arguments(cluster(1, 1, {{"SXB_FAKE_FAULT", "port:0:sft"}}), "sft"));
  EXPECT_EQ(always.status.text(), "exit code 4") << always.err;
  EXPECT_EQ(records(record::kind::kTaskStart).size(), 4U) << "not for ever";
  fs::remove_all(results());

  Json json = *load_json(cluster(1, 1, {{"SXB_FAKE_FAULT", "port:0:sft"}}));
  json["rendezvous"] = {{"port", 45000}};
  std::ofstream(dir_ / "cluster.json") << json.dump();
  const Ended fixed = sxbench(run_arguments((dir_ / "cluster.json").string(), "sft"));
  EXPECT_EQ(fixed.status.text(), "exit code 4") << fixed.err;
  EXPECT_EQ(records(record::kind::kTaskStart).size(), 1U) << "the user's port is the only one";
}

}  // namespace
}  // namespace sxb::e2e
