// Nodes on which something else than sxbench runs, and ends with 0 or not: never a success, always by name,
// at once. Against real sshd, pdsh and Slurm.
#include "e2e/faults.h"
#include "e2e/net/net_cluster.h"

namespace sxb::e2e {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// What the head says of an agent that ended with 0 before anything was heard of it, and after that.
constexpr const char* kNobody = "no sxbench answered";
constexpr const char* kNoEnd = "ended without its last record";

class Silence : public FaultsOn<OnNetwork> {
 protected:
  std::string cluster_over(const std::string& transport, const Json& more = Json::object()) {
    Json json = net_->config(transport, 1);
    json["timeouts"] = {{"connect_s", 5}};
    json.update(more);
    return write_cluster(json);
  }

  std::string reason() {
    const auto ends = records(record::kind::kTaskEnd);
    return ends.empty() ? "no task_end" : ends[0].data["reason"].get<std::string>();
  }

  /// No task of the run was ok, the code is that of an environment that failed, and it came long before
  /// timeouts.stall_s, which is 900.
  void expect_named(const Ended& run, const std::string& node) {
    EXPECT_EQ(run.status.text(), "exit code 4") << run.err;
    EXPECT_LT(run.seconds, 34 + slack());
    const auto ends = records(record::kind::kTaskEnd);
    EXPECT_FALSE(ends.empty());
    for (const auto& end : ends) EXPECT_NE(end.data["status"], "ok");
    EXPECT_THAT(reason(), HasSubstr(node));
  }

  /// A child of the running sxbench with this name; -1 within 10 s: there is none.
  pid_t child_called(const launch::ProcessSet& processes, int id, const std::string& name) {
    const std::string pid = std::to_string(processes.pid(id));
    for (int i = 0; i < 1000; ++i) {
      std::ifstream children("/proc/" + pid + "/task/" + pid + "/children");
      for (pid_t child = 0; children >> child;) {
        std::ifstream comm("/proc/" + std::to_string(child) + "/comm");
        std::string found;
        if (comm >> found && found.starts_with(name)) return child;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return -1;
  }

  /// Starts a training that does not end by itself, and waits for its first steps.
  int start_training(launch::ProcessSet& processes, const std::string& file) {
    std::vector<std::string> arguments = run_arguments(file, "sft");
    for (std::size_t i = 0; i + 1 < arguments.size(); ++i) {
      if (arguments[i] == "--steps") arguments[i + 1] = "100000";
    }
    const int id = start(processes, arguments);
    EXPECT_TRUE(wait_until(processes, [&] { return records(record::kind::kStep).size() > 3; }))
        << net_->output();
    return id;
  }

  const Json kSlowSteps = {{"env", {{"SXB_FAKE_LINK", "1"}, {"SXB_FAKE_STEP_MS", "100"}}}};
};

class SilenceOver : public Silence, public ::testing::WithParamInterface<const char*> {};

/// A line of shell on the head that makes node002 silent, and what is quoted of it.
struct Muting {
  const char* how;
  const char* quoted;
};

TEST_P(SilenceOver, ALoginThatRunsSomethingElseIsNoSuccess) {
  ASSERT_NO_FATAL_FAILURE(boot(2));
  if (IsSkipped()) return;
  for (const Muting& muting : std::initializer_list<Muting>{
           {"reconfigure node002 'ForceCommand exit 0'", ""},
           {"reconfigure node002 'ForceCommand echo closed for maintenance'", "closed for maintenance"},
           {"reconfigure node002 'ForceCommand exit 3'", "exit code 3"},
           {"reconfigure node002 'ForceCommand none' && login node002 /bin/true", ""},
           {"login node002 /bin/false", "exit code 1"},
           {"login node002 /usr/sbin/nologin", "This account is currently not available."},
           {"login node002 /bin/bash 'exit 0'", ""},
           {"login node002 /bin/bash 'exec echo no shell today'", "no shell today"}}) {
    SCOPED_TRACE(muting.how);
    ASSERT_EQ(net_->shell(muting.how), 0) << net_->output();
    const Ended run = sxbench(run_arguments(cluster_over(GetParam()), "check,sft"));
    expect_named(run, "node002");
    EXPECT_THAT(reason(), HasSubstr(kNobody));
    EXPECT_THAT(reason(), HasSubstr(muting.quoted));
  }
}

TEST_P(SilenceOver, AllNodesMayBeSilent) {
  ASSERT_NO_FATAL_FAILURE(boot(2));
  if (IsSkipped()) return;
  for (const char* node : {"node001", "node002"})
    ASSERT_EQ(net_->shell(fmt::format("reconfigure {} 'ForceCommand exit 0'", node)), 0) << net_->output();
  const Ended run = sxbench(run_arguments(cluster_over(GetParam()), "check,nccl,sft"));
  expect_named(run, "node00");
  EXPECT_THAT(reason(), HasSubstr(kNobody));
}

TEST_P(SilenceOver, AnotherProgramIsNotSxbench) {
  ASSERT_NO_FATAL_FAILURE(boot(2, std::string(GetParam()) == "slurm"));
  if (IsSkipped()) return;
  for (const Muting& muting : std::initializer_list<Muting>{
           {"/bin/true", ""}, {"/bin/false", "exit code 1"}, {"/bin/cat", "No such file"}}) {
    SCOPED_TRACE(muting.how);
    const Ended run =
        sxbench(run_arguments(cluster_over(GetParam(), {{"paths", {{"program", muting.how}}}}), "check,sft"));
    expect_named(run, "node00");
    EXPECT_THAT(reason(), HasSubstr(kNobody));
    EXPECT_THAT(reason(), HasSubstr(muting.quoted));
  }
}

TEST_P(SilenceOver, AHiddenStatusIsNoSuccess) {
  ASSERT_NO_FATAL_FAILURE(boot(2));
  if (IsSkipped()) return;
  ASSERT_EQ(
      net_->shell("reconfigure node002 'ForceCommand timeout -s KILL 6 sh -c \"$SSH_ORIGINAL_COMMAND\"; "
                  "exit 0'"),
      0)
      << net_->output();
  launch::ProcessSet processes;
  start_training(processes, cluster_over(GetParam(), kSlowSteps));
  const Ended run = collect(processes, [](const std::string&) {});
  expect_named(run, "node002");
  EXPECT_THAT(reason(), HasSubstr(kNoEnd));
}

/// As a user's ssh_config may have it: the agents get their stdin, their command and the head's patience.
TEST_P(SilenceOver, AUsersSessionOptionsDoNotReachTheAgents) {
  ASSERT_NO_FATAL_FAILURE(boot(2));
  if (IsSkipped()) return;
  std::ofstream(net_->dir() / "ssh_config", std::ios::app)
      << "  StdinNull yes\n  ForkAfterAuthentication yes\n  SessionType none\n  RemoteCommand true\n"
      << "  IgnoreUnknown UseKeychain\n  UseKeychain yes\n";
  const Ended run = sxbench(run_arguments(cluster_over(GetParam()), "check,sft"));
  EXPECT_EQ(run.status.text(), "exit code 0") << run.err;
  EXPECT_EQ(records(record::kind::kDevice).size(), 4u);
}

TEST_P(SilenceOver, ALoginThatTalksWithoutANewlineSwallowsNoRecord) {
  ASSERT_NO_FATAL_FAILURE(boot(2));
  if (IsSkipped()) return;
  ASSERT_EQ(net_->shell("login node002 /bin/bash \"printf 'Welcome to node002'\""), 0) << net_->output();
  const Ended run = sxbench(run_arguments(cluster_over(GetParam()), "check"));
  EXPECT_EQ(run.status.text(), "exit code 0") << run.err;
  EXPECT_EQ(records(record::kind::kNode).size(), 2u);
}

TEST_P(SilenceOver, AKilledClientIsTheHeadsFault) {
  const std::string transport = GetParam(), client = transport == "slurm" ? "srun" : transport;
  ASSERT_NO_FATAL_FAILURE(boot(2, transport == "slurm"));
  if (IsSkipped()) return;
  launch::ProcessSet processes;
  const int id = start_training(processes, cluster_over(transport, kSlowSteps));
  hit(child_called(processes, id, client), SIGKILL);
  const Ended run = collect(processes, [](const std::string&) {});
  expect_named(run, "node00");
  EXPECT_THAT(reason(), HasSubstr(client + " on this machine was killed by signal 9"));
}

INSTANTIATE_TEST_SUITE_P(Ssh, SilenceOver, ::testing::Values("ssh", "pdsh"),
                         [](const auto& transport) { return std::string(transport.param); });

/// The tests of SilenceOver that Slurm can have: it knows no logins.
using SilenceOverSlurm = Silence;

TEST_F(SilenceOverSlurm, AnotherProgramIsNotSxbench) {
  ASSERT_NO_FATAL_FAILURE(boot(2, true));
  if (IsSkipped()) return;
  for (const char* program : {"/bin/true", "/bin/false"}) {
    SCOPED_TRACE(program);
    const Ended run =
        sxbench(run_arguments(cluster_over("slurm", {{"paths", {{"program", program}}}}), "check,sft"));
    expect_named(run, "node00");
    EXPECT_THAT(reason(), HasSubstr(kNobody));
  }
}

TEST_F(SilenceOverSlurm, AProgramThatIsNotThereIsNamedWithTheRemedy) {
  ASSERT_NO_FATAL_FAILURE(boot(2, true));
  if (IsSkipped()) return;
  const Ended run =
      sxbench(run_arguments(cluster_over("slurm", {{"paths", {{"program", "/opt/none/sxbench"}}}}), "check"));
  expect_named(run, "node00");
  EXPECT_THAT(reason(), HasSubstr("/opt/none/sxbench cannot be started there: "));
  EXPECT_THAT(run.err, HasSubstr("help: install sxbench at the same path on every node"));
}

TEST_F(SilenceOverSlurm, AStepThatIsCancelledFailsWithSlurmsWords) {
  ASSERT_NO_FATAL_FAILURE(boot(2, true));
  if (IsSkipped()) return;
  launch::ProcessSet processes;
  start_training(processes, cluster_over("slurm", kSlowSteps));
  ASSERT_EQ(net_->shell("scancel \"$(squeue --noheader --steps --format=%i | grep '[.][0-9]' | tail -1)\""),
            0)
      << net_->output();
  const Ended run = collect(processes, [](const std::string&) {});
  expect_named(run, "node00");
  EXPECT_THAT(reason(), HasSubstr("CANCELLED AT "));
}

TEST_F(SilenceOverSlurm, AKilledSrunIsTheHeadsFault) {
  ASSERT_NO_FATAL_FAILURE(boot(2, true));
  if (IsSkipped()) return;
  launch::ProcessSet processes;
  const int id = start_training(processes, cluster_over("slurm", kSlowSteps));
  hit(child_called(processes, id, "srun"), SIGKILL);
  const Ended run = collect(processes, [](const std::string&) {});
  expect_named(run, "node00");
  EXPECT_THAT(reason(), HasSubstr("srun on this machine was killed by signal 9"));
}

/// Whom ssh cannot reach, and of its lines the one that says why.
TEST_F(Silence, SshsOwnCauseIsQuoted) {
  ASSERT_NO_FATAL_FAILURE(boot(2));
  if (IsSkipped()) return;
  const auto said = [&](const Json& more) {
    const Ended run = sxbench(run_arguments(cluster_over("ssh", more), "check"));
    expect_named(run, "node00");
    return reason();
  };
  Json nodes = net_->config("ssh", 1)["nodes"];
  nodes[1]["ssh_jump"] = "nowhere.invalid";
  EXPECT_THAT(
      said({{"nodes", nodes}}),
      HasSubstr("node002 was lost: no ssh connection: its jump host nowhere.invalid cannot be reached"));
  const std::string config = (dir_ / "wrong_config").string();
  std::ofstream(config) << "Host *\n  NoSuchOption yes\n";
  EXPECT_THAT(said({{"ssh", {{"config", config}}}}), HasSubstr("Bad configuration option: nosuchoption"));
  ASSERT_EQ(net_->shell("reconfigure node002 'MaxSessions 0'"), 0) << net_->output();
  EXPECT_THAT(said(Json::object()), AnyOf(HasSubstr("refused"), HasSubstr("open failed")));
}

TEST_F(Silence, ALoginThatReadsStdinIsBlamedForTheTaskItTook) {
  ASSERT_NO_FATAL_FAILURE(boot(2));
  if (IsSkipped()) return;
  ASSERT_EQ(net_->shell("login node002 /bin/bash 'read line'"), 0) << net_->output();
  const Ended run = sxbench(run_arguments(cluster_over("ssh"), "check"));
  expect_named(run, "node002");
  EXPECT_THAT(reason(), HasSubstr("the task did not reach the agent"));
}

TEST_F(Silence, ASessionThatSshdLosesIsToldInSshsWords) {
  ASSERT_NO_FATAL_FAILURE(boot(2));
  if (IsSkipped()) return;
  launch::ProcessSet processes;
  start_training(processes, cluster_over("ssh", kSlowSteps));
  ASSERT_EQ(net_->shell("on node002 pkill -KILL -f '^sshd: root'"), 0) << net_->output();
  const Ended run = collect(processes, [](const std::string&) {});
  expect_named(run, "node002");
  EXPECT_THAT(reason(), HasSubstr("node002 was lost: the ssh connection broke off"));
  EXPECT_THAT(reason(), Not(HasSubstr("is process")));
}

TEST_F(Silence, WhatAKilledHeadLeavesInTmpTheNextOneRemoves) {
  ASSERT_NO_FATAL_FAILURE(boot(2));
  if (IsSkipped()) return;
  const auto left = [&](const std::string& pid) {
    return net_->shell("ls -d /tmp/sxbench-pid" + pid + "-* > /dev/null 2>&1") == 0;
  };
  for (const char* transport : {"ssh", "pdsh"}) {
    SCOPED_TRACE(transport);
    launch::ProcessSet processes;
    const int id = start_training(processes, cluster_over(transport, kSlowSteps));
    const std::string pid = std::to_string(processes.pid(id));
    send_signal(processes, id, SIGKILL);
    collect(processes, [](const std::string&) {});
    EXPECT_TRUE(left(pid));
    EXPECT_EQ(sxbench(run_arguments(cluster_over("ssh"), "check")).status.text(), "exit code 0");
    EXPECT_FALSE(left(pid));
    fs::remove_all(results());
  }
}

}  // namespace
}  // namespace sxb::e2e
