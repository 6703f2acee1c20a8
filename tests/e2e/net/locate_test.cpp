// `sxbench locate` with real ranks over Gloo on five machines, each behind a link of the same rate: what is
// slowed with tc is what it names. The network and not this machine's cores must be the bottleneck, hence the
// low rate.
#include <set>

#include "e2e/net/net_cluster.h"

namespace sxb::e2e {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kNodes = 5;
constexpr const char* kRate = "100mbit";
constexpr const char* kThird = "33mbit";

class Locate : public OnNetwork {
 protected:
  void SetUp() override {
    OnNetwork::SetUp();
    engine_ = SXB_ENGINE;
    env_["SXBENCH_ENGINE_LIB"] = SXB_ENGINE;
  }

  void tc(int node, const std::string& what) {
    ASSERT_EQ(net_->shell(fmt::format("tc -n {} {}", NetCluster::name(node), what)), 0) << net_->output();
  }
  /// What leaves a machine goes through a class of kRate.
  void boot_shaped() {
    ASSERT_NO_FATAL_FAILURE(boot(kNodes));
    if (IsSkipped()) return;
    for (int node = 1; node <= kNodes; ++node) {
      ASSERT_NO_FATAL_FAILURE(tc(node, "qdisc add dev eth0 root handle 1: htb default 10"));
      ASSERT_NO_FATAL_FAILURE(tc(
          node, fmt::format("class add dev eth0 parent 1: classid 1:10 htb rate {} quantum 60000", kRate)));
    }
  }
  void slow_way(int from, int to) {
    ASSERT_NO_FATAL_FAILURE(
        tc(from, fmt::format("class add dev eth0 parent 1: classid 1:20 htb rate {} quantum 60000", kThird)));
    ASSERT_NO_FATAL_FAILURE(
        tc(from, fmt::format("filter add dev eth0 parent 1: protocol ip prio 1 u32 match ip dst "
                             "198.18.0.{}/32 flowid 1:20",
                             to)));
  }

  Ended locate(const std::vector<std::string>& more = {}) {
    Json config = net_->config("ssh", 1);
    config["rendezvous"] = {{"interface", "eth0"}, {"family", "ipv4"}};
    std::vector<std::string> arguments = {
        "locate",   "--cluster", write_cluster(config), "--out", results().string(), "--size", "1M",
        "--rounds", "2",         "--probe-seconds",     "0.5"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    Ended run = sxbench(arguments);
    std::printf("%s", run.out.c_str());
    return run;
  }
};

TEST_F(Locate, FindsNothingWhereAllLinksAreEqual) {
  ASSERT_NO_FATAL_FAILURE(boot_shaped());
  if (IsSkipped()) return;
  const Ended run = locate();
  EXPECT_EQ(run.status.text(), "exit code 0") << run.err;
  EXPECT_THAT(run.out, Not(HasSubstr("SLOW")));
  std::set<std::string> pairs;
  for (const auto& link : records(record::kind::kLocateLink)) {
    if (link.data["stage"] != "pair") continue;
    EXPECT_TRUE(
        pairs.insert(link.data["a"]["node"].get<std::string>() + link.data["b"]["node"].get<std::string>())
            .second);
  }
  EXPECT_EQ(pairs.size(), kNodes * (kNodes - 1) / 2u);
  EXPECT_EQ(records(record::kind::kLocateNode).size() >= kNodes, true);
}

TEST_F(Locate, NamesTheNodeWhoseInterfaceIsSlow) {
  ASSERT_NO_FATAL_FAILURE(boot_shaped());
  if (IsSkipped()) return;
  ASSERT_NO_FATAL_FAILURE(
      tc(3, fmt::format("class change dev eth0 classid 1:10 htb rate {} quantum 60000", kThird)));
  const Ended run = locate();
  EXPECT_EQ(run.status.text(), "exit code 3") << run.err;
  EXPECT_THAT(run.out, HasSubstr("SLOW  node003\n"));
  for (const char* innocent :
       {"SLOW  node001", "SLOW  node002", "SLOW  node004", "SLOW  node005", "SLOW  link"})
    EXPECT_THAT(run.out, Not(HasSubstr(innocent)));
  EXPECT_THAT(run.out, HasSubstr("tested again with"));
  for (const char* file : {"charts/locate_pairs.svg", "locate.csv", "summary_report.html"})
    EXPECT_TRUE(fs::exists(latest() / "reports" / file)) << file;
}

TEST_F(Locate, NamesTheLinkAndNotItsEnds) {
  ASSERT_NO_FATAL_FAILURE(boot_shaped());
  if (IsSkipped()) return;
  ASSERT_NO_FATAL_FAILURE(slow_way(2, 4));
  ASSERT_NO_FATAL_FAILURE(slow_way(4, 2));
  const Ended run = locate();
  EXPECT_EQ(run.status.text(), "exit code 3") << run.err;
  EXPECT_THAT(run.out, HasSubstr("SLOW  link node002 - node004\n"));
  EXPECT_THAT(run.out, Not(HasSubstr("SLOW  node")));
}

TEST_F(Locate, NamesALinkThatIsCutAndGoesOn) {
  ASSERT_NO_FATAL_FAILURE(boot_shaped());
  if (IsSkipped()) return;
  ASSERT_EQ(net_->shell(
                "ip -n node002 route add blackhole 198.18.0.4; ip -n node004 route add blackhole 198.18.0.2"),
            0)
      << net_->output();
  const Ended run = locate({"--timeout", "4"});
  EXPECT_EQ(run.status.text(), "exit code 3") << run.err;
  EXPECT_THAT(run.out, HasSubstr("SLOW  link node002 - node004\n      no answer"));
  EXPECT_THAT(run.out, Not(HasSubstr("SLOW  node")));
}

}  // namespace
}  // namespace sxb::e2e
