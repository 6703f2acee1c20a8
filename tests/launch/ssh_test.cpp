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
        "\"quoted\"", "a;b|c&d>e", "~root", "*", "\\", "ümläut", "!x", "it's!'x'!"}) {
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

// csh and tcsh replace what follows a "!" even in single quotes, unless a backslash is before it.
TEST(Ssh, NoExclamationMarkStandsInQuotes) {
  const std::string command = remote_command({"/opt/a!b c/it's!/sxbench", "!x"}, {{"X", "!y"}});
  for (std::size_t at = command.find('!'); at != std::string::npos; at = command.find('!', at + 1)) {
    ASSERT_GE(at, 2u);
    EXPECT_EQ(command.substr(at - 2, 4), "'\\!'") << command;
  }
}

TEST(Ssh, TheSessionIsACommandsWithStdinWhateverTheUsersConfigSays) {
  const std::vector<std::string> options = {"StdinNull=no", "ForkAfterAuthentication=no",
                                            "SessionType=default"};
  for (const char* version : {"OpenSSH_9.2p1 Debian-2+deb12u10, OpenSSL 3.0.19 27 Jan 2026",
                              "OpenSSH_8.7p1, OpenSSL 3.0.7", "OpenSSH_10.0p2, LibreSSL 4.1.0"}) {
    EXPECT_EQ(session_options(version), options) << version;
  }
  for (const char* version :
       {"OpenSSH_8.6p1, OpenSSL 1.1.1k", "OpenSSH_7.9p1", "Sun_SSH_1.1.5", "", "OpenSSH_"}) {
    EXPECT_TRUE(session_options(version).empty())
        << version << " would refuse an option that it does not know";
  }
  const config::Cluster cluster;
  EXPECT_THAT(ssh_argv(cluster, node("n"), "", "x", options), Contains("SessionType=default"));
  const std::string text = ssh_config(cluster, "", options);
  EXPECT_LT(text.find("  StdinNull no\n"), text.find("Include ")) << "the first value wins";
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

TEST(Ssh, TheLineThatTellsTheCauseIsShownNotTheLast) {
  const config::Cluster cluster;
  const auto what = [&](const std::vector<std::string>& messages) {
    return explain_ssh(cluster, node("n1"), messages, false, 0).what;
  };
  EXPECT_EQ(what({"ssh: Could not resolve hostname gate: Name or service not known",
                  "Connection closed by UNKNOWN port 65535"}),
            "no ssh connection: ssh: Could not resolve hostname gate: Name or service not known");
  EXPECT_EQ(what({"/root/.ssh/config: line 3: Bad configuration option: foo",
                  "/root/.ssh/config: terminating, 1 bad configuration options"}),
            "no ssh connection: /root/.ssh/config: line 3: Bad configuration option: foo");
  EXPECT_EQ(what({"mux_client_request_session: session request failed: Session open refused by peer",
                  "Failed to connect to new control master"}),
            "no ssh connection: mux_client_request_session: session request failed: Session open refused by "
            "peer");
  EXPECT_EQ(what({"kex_exchange_identification: Connection closed by remote host",
                  "Connection closed by 198.18.0.1 port 22"}),
            "no ssh connection: Connection closed by 198.18.0.1 port 22");
  EXPECT_EQ(what({"Failed to connect to new control master"}),
            "no ssh connection: Failed to connect to new control master")
      << "better than nothing";
}

TEST(Ssh, AJumpHostIsNamedWhereSshHidesWhatItSaid) {
  const config::Cluster cluster;
  config::Node behind = node("n1");
  const std::vector<std::string> messages = {"kex_exchange_identification: Connection closed by remote host",
                                             "Connection closed by UNKNOWN port 65535"};
  EXPECT_THAT(explain_ssh(cluster, behind, messages, false, 0).what,
              HasSubstr("its jump host (of ssh's config)"));
  behind.ssh_jump = "gate";
  const Loss loss = explain_ssh(cluster, behind, messages, false, 0);
  EXPECT_EQ(loss.what, "no ssh connection: its jump host gate cannot be reached, or does not reach it");
  EXPECT_EQ(loss.help, "try: ssh -J gate n1");
}

TEST(Ssh, TheEndOfAConnectionIsToldInItsOwnWordsNotTheAgents) {
  const config::Cluster cluster;
  const std::string agent = "2026-11-30T03:00:00.000Z info sft: rank 0 is process 580";
  const auto what = [&](const std::vector<std::string>& messages) {
    return explain_ssh(cluster, node("n1"), messages, true, 0.5).what;
  };
  EXPECT_EQ(what({agent, "Connection to n1 closed by remote host.", agent}),
            "the ssh connection broke off: Connection to n1 closed by remote host.");
  EXPECT_THAT(what({agent}), Not(HasSubstr("rank 0")));
}

TEST(LastWords, AreTheLastLinesThatAreNoRecords) {
  LastWords words;
  EXPECT_EQ(words.text(), "");
  for (const char* line : {"first", "", "Welcome", ":::SXB {\"v\":1}", "text:::SXB {\"v\":1}", "  closed \t",
                           "bye", "help: try it by hand"})
    words.hear(line);
  EXPECT_EQ(words.text(), "Welcome | closed | bye");
}

TEST(LastWords, MoveNoTerminalAndAreShort) {
  LastWords words;
  words.hear("\x1b]0;title\x07 \xff");
  EXPECT_EQ(words.text(), "\\x1b]0;title\\x07 \\xff");
  words.hear(std::string(100'000, 'x'));
  EXPECT_EQ(words.text(), std::string(300, 'x'));
  words.hear(std::string(300, '\x1b'));
  EXPECT_LE(words.text().size(), 300u);
}

TEST(Loss, OfOursNamesTheProgramAndThisMachine) {
  const Loss started = not_started({"cannot start the program: Resource temporarily unavailable",
                                    "ssh",
                                    "raise the limits on processes and open files (ulimit -u -n)",
                                    {}});
  EXPECT_EQ(started.what, "ssh on this machine: cannot start the program: Resource temporarily unavailable");
  EXPECT_THAT(started.help, HasSubstr("ulimit"));
  EXPECT_EQ(killed_here("srun", {0, 9}).what, "srun on this machine was killed by signal 9 (SIGKILL)");
}

TEST(Ssh, AConnectionThatWasThereIsLostOrSilent) {
  const config::Cluster cluster;
  const std::vector<std::string> messages = {"Connection to n1 closed by remote host."};
  EXPECT_EQ(explain_ssh(cluster, node("n1"), messages, true, 0.5).kind, Class::kConnectionLost);
  EXPECT_EQ(explain_ssh(cluster, node("n1"), messages, true, 15).kind, Class::kNoAnswer);
}

}  // namespace
}  // namespace sxb::launch
