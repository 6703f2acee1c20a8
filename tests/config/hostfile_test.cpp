#include <fmt/format.h>
#include <gmock/gmock.h>

#include "config/cluster/cluster.h"
#include "config/testing.h"

namespace sxb::config {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class Hostfile : public CleanEnvironment {
 protected:
  Result<Cluster> load(const std::string& text) { return load_hostfile(write("hosts", text)); }
  /// "name host user slots" of every node, 0 slots = not said; the error if there is one.
  std::vector<std::string> nodes(const std::string& text) {
    const auto cluster = load(text);
    if (!cluster.ok()) return {format_errors(cluster.errors())};
    std::vector<std::string> out;
    for (const Node& node : cluster->nodes) {
      out.push_back(fmt::format("{} {} {} {}", node.name, node.host,
                                node.ssh_user.empty() ? "-" : node.ssh_user, node.slots));
    }
    return out;
  }
};

TEST_F(Hostfile, TakesTheFormsOfLaunchersAndSchedulers) {
  EXPECT_THAT(nodes("n1 slots=8\r\nn2 slots = 4 max-slots=8\r\n"), ElementsAre("n1 n1 - 8", "n2 n2 - 4"));
  EXPECT_THAT(nodes("alice@10.1.0.10 slots=2\nroot@10.1.0.7:1"),
              ElementsAre("10.1.0.10 10.1.0.10 alice 2", "10.1.0.7 10.1.0.7 root 1"));
  EXPECT_THAT(nodes("n1 username=bob slots=2"), ElementsAre("n1 n1 bob 2"));
  EXPECT_THAT(nodes("node[001-002] slots=8"), ElementsAre("node001 node001 - 8", "node002 node002 - 8"));
}

TEST_F(Hostfile, CountsLines) {
  EXPECT_THAT(nodes("n1\nn1\nn2\nn2\n"), ElementsAre("n1 n1 - 2", "n2 n2 - 2"));
  EXPECT_THAT(nodes("n2\nn1\nn2\nn2\n"), ElementsAre("n2 n2 - 3", "n1 n1 - 1"))
      << "a line is a rank, also alone";
  EXPECT_THAT(nodes("n1\nn2\n"), ElementsAre("n1 n1 - 0", "n2 n2 - 0")) << "all GPUs of each";
  EXPECT_THAT(nodes("n1 slots=8\nn2 slots=8\nn1 slots=8\n").front(),
              AllOf(HasSubstr("the node n1 is named twice, in line 1 and in line 3"), HasSubstr("hosts:3\n"),
                    HasSubstr("\"n1 slots=8\"")));
  EXPECT_THAT(nodes("a@n1\nb@n1\n").front(), HasSubstr("named twice"));
}

TEST_F(Hostfile, TakesAddressesOfIpv6) {
  EXPECT_THAT(nodes("fd00::1 slots=8\n[fd00::2]:4\nbob@[fd00::3] slots=2\n::1\nfe80::1%eth0"),
              ElementsAre("fd00--1 fd00::1 - 8", "fd00--2 fd00::2 - 4", "fd00--3 fd00::3 bob 2",
                          "ip--1 ::1 - 0", "fe80--1-eth0 fe80::1%eth0 - 0"));
}

TEST_F(Hostfile, SkipsTheMarkOfWindowsEditors) {
  EXPECT_THAT(nodes("\xEF\xBB\xBFn1 slots=8\nn2\n"), ElementsAre("n1 n1 - 8", "n2 n2 - 0"));
  EXPECT_THAT(nodes(std::string("\xFF\xFEn\0001\0", 6)).front(), HasSubstr("UTF-16"));
}

TEST_F(Hostfile, APortIsNoCount) {
  EXPECT_THAT(nodes("10.4.0.1:2222 slots=8\n").front(),
              AllOf(HasSubstr("two counts of ranks for one node, 2222 and 8"), HasSubstr("hosts:1\n"),
                    HasSubstr("ssh_port")));
  EXPECT_THAT(nodes("n1:8 slots=8\n"), ElementsAre("n1 n1 - 8")) << "said twice, and the same";
  EXPECT_THAT(nodes("n1:22222").front(), HasSubstr("ssh_port"));
  EXPECT_THAT(nodes("n1 port=22").front(), HasSubstr("ssh_port"));
}

TEST_F(Hostfile, NamesTheLineAndWhatIsWrongThere) {
  for (const char* line :
       {"-oProxyCommand=x slots=1", "n1;reboot", "n1 slots=0", "n1 slots=5000", "n1 gpus=8", "n1:", "@n1",
        "a;b@n1", "-l@n1", "[fd00::1", "[fd00::1]x", "fd00::1::2", "n1 ifname=ib0", "n1 binding=user",
        "n1 slots=4 slots=8", "\x1b[2J", "n\xff"}) {
    const auto cluster = load(fmt::format("ok1 slots=1\n\n{}\n", line));
    ASSERT_FALSE(cluster.ok()) << line;
    ASSERT_EQ(cluster.errors().size(), 1u) << format_errors(cluster.errors());
    EXPECT_EQ(cluster.error().where, folder_ + "/hosts:3") << line;
    EXPECT_FALSE(cluster.error().help.empty()) << line;
    EXPECT_EQ(cluster.error().code, ExitCode::kUsage);
  }
  EXPECT_THAT(nodes(std::string(230, 'n')).front(), HasSubstr("a name of 230 characters"));
  const auto missing = load_hostfile(folder_ + "/none");
  EXPECT_FALSE(missing.error().help.empty());
}

TEST_F(Hostfile, NamesTheClusterAfterTheFile) {
  EXPECT_EQ(load_hostfile(write("my hosts (1).txt", "n1"))->name, "my-hosts--1-");
}

}  // namespace
}  // namespace sxb::config
