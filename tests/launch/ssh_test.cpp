#include "launch/transport/ssh.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "launch/os/process.h"

namespace sxb::launch {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using Class = Loss::Class;

config::Node node(const std::string& name) {
  config::Node result;
  result.name = result.host = name;
  return result;
}

/// What a shell makes of `command`.
std::string through_shell(const std::string& command) {
  ProcessSet processes;
  ProcessSpec spec;
  spec.argv = {"sh", "-c", command};
  EXPECT_TRUE(processes.start(spec).ok());
  std::string out;
  while (!processes.empty()) {
    processes.poll(100, [&](const ProcessEvent& event) {
      if (event.kind == ProcessEvent::Kind::kLine) out += event.line + "\n";
    });
  }
  return out;
}

TEST(Ssh, AnyWordPassesAShellUnchanged) {
  for (const std::string word :
       {"plain", "", "with space", "it's", "$(touch /tmp/x)", "`id`", "a\nb", "-oProxyCommand=x",
        "\"quoted\"", "a;b|c&d>e", "~root", "*", "\\", "ümläut", "!x"}) {
    EXPECT_EQ(through_shell(remote_command({"printf", "%s|", word}, {})), word + "|\n") << word;
    EXPECT_EQ(through_shell(remote_command({"sh", "-c", "printf '%s|' \"$X\""}, {{"X", word}})), word + "|\n")
        << word;
  }
}

TEST(Ssh, TheCallHasWhatTheNodeSaysAndNoQuestions) {
  config::Cluster cluster;
  cluster.timeouts.connect_s = 7;
  cluster.ssh.config = "/etc/my config";
  config::Node n = node("n1");
  n.host = "10.0.0.1";
  n.ssh_port = 44222;
  n.ssh_user = "bench";
  n.ssh_key = "~/.ssh/bench key";
  n.ssh_jump = "gate@login:2222";
  const std::vector<std::string> argv = ssh_argv(cluster, n, "/tmp/s", "exec true");
  const auto follows = [&](const std::string& first, const std::string& second) {
    const auto it = std::find(argv.begin(), argv.end(), first);
    return it != argv.end() && it + 1 != argv.end() && *(it + 1) == second;
  };
  EXPECT_TRUE(follows("-F", "/etc/my config"));
  EXPECT_TRUE(follows("-p", "44222"));
  EXPECT_TRUE(follows("-l", "bench"));
  EXPECT_TRUE(follows("-i", "~/.ssh/bench key"));
  EXPECT_TRUE(follows("-J", "gate@login:2222"));
  EXPECT_THAT(argv, Contains("BatchMode=yes"));
  EXPECT_THAT(argv, Contains("ConnectTimeout=7"));
  EXPECT_THAT(argv, Contains("ControlPath=/tmp/s/%C"));
  EXPECT_EQ(argv[argv.size() - 3], "--") << "what follows is never a flag";
  EXPECT_EQ(argv[argv.size() - 2], "10.0.0.1");
  EXPECT_EQ(argv.back(), "exec true");
}

TEST(Ssh, WithoutPersistenceEveryCommandHasItsOwnConnection) {
  config::Cluster cluster;
  cluster.ssh.persist_s = 0;
  EXPECT_THAT(ssh_argv(cluster, node("n"), "/tmp/s", "x"), Contains("ControlPath=none"));
}

TEST(Ssh, TheConfigFileNamesEveryNode) {
  config::Cluster cluster;
  cluster.nodes = {node("n1"), node("n2")};
  cluster.nodes[1].host = "10.0.0.2";
  cluster.nodes[1].ssh_port = 44222;
  const std::string text = ssh_config(cluster, "");
  EXPECT_THAT(text,
              HasSubstr("Host n1\n  HostName n1\nHost n2\n  HostName 10.0.0.2\n  Port 44222\nHost *\n"));
  EXPECT_THAT(text, HasSubstr("Include \"~/.ssh/config\"\n"));
  cluster.ssh.config = "/x/config";
  EXPECT_THAT(ssh_config(cluster, ""), HasSubstr("Include \"/x/config\"\n"));
  EXPECT_THAT(ssh_config(cluster, ""), Not(HasSubstr("~/.ssh")));
}

TEST(Ssh, MessagesBeforeTheConnectionTellWhyThereIsNone) {
  const config::Cluster cluster;
  const config::Node n = node("n1");
  const auto explained = [&](std::vector<std::string> messages) {
    return explain_ssh(cluster, n, messages, false, 0);
  };
  const Loss refused = explained({"ssh: connect to host n1 port 22: Connection refused"});
  EXPECT_EQ(refused.kind, Class::kUnreachable);
  EXPECT_EQ(refused.what, "no ssh connection: ssh: connect to host n1 port 22: Connection refused");
  EXPECT_EQ(refused.help, "try: ssh n1");
  EXPECT_EQ(explained({"ssh: Could not resolve hostname n1: Name or service not known"}).kind,
            Class::kUnreachable);
  EXPECT_EQ(explained({}).kind, Class::kUnreachable);
  EXPECT_EQ(explained({"root@n1: Permission denied (publickey)."}).kind, Class::kAuth);
  const Loss unknown =
      explained({"No ED25519 host key is known for n1 and you have requested strict checking.",
                 "Host key verification failed."});
  EXPECT_EQ(unknown.kind, Class::kHostKey);
  EXPECT_EQ(unknown.help, "confirm the key once with: ssh n1");
  const Loss changed = explained(
      {"@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @", "Host key verification failed."});
  EXPECT_EQ(changed.kind, Class::kHostKey);
  EXPECT_THAT(changed.help, HasSubstr("ssh-keygen -R"));
}

TEST(Ssh, AConnectionThatWasThereIsLostOrSilent) {
  const config::Cluster cluster;
  const std::vector<std::string> messages = {"Connection to n1 closed by remote host."};
  EXPECT_EQ(explain_ssh(cluster, node("n1"), messages, true, 0.5).kind, Class::kConnectionLost);
  EXPECT_EQ(explain_ssh(cluster, node("n1"), messages, true, 15).kind, Class::kNoAnswer);
}

}  // namespace
}  // namespace sxb::launch
