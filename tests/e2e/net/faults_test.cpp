// Faults of nodes and of the network between them, over real ssh. See e2e/faults.h for the rest.
#include "e2e/faults.h"
#include "base/units.h"
#include "e2e/net/net_cluster.h"

namespace sxb::e2e {
namespace {

using ::testing::HasSubstr;

class NetFaults : public FaultsOn<OnNetwork> {
 protected:
  /// Two nodes whose ranks meet over the network in every step, for as long as a test lets them.
  std::string linked(int nodes, Json timeouts, const std::string& transport = "ssh") {
    EXPECT_NO_FATAL_FAILURE(boot(nodes, transport == "slurm"));
    if (IsSkipped()) return "";
    Json json = net_->config(transport, 1);
    json["env"] = {{"SXB_MARK", dir_.string()}, {"SXB_FAKE_LINK", "1"}, {"SXB_FAKE_STEP_MS", "100"}};
    json["timeouts"] = std::move(timeouts);
    json["ssh"]["keepalive_s"] = 1;
    return write_cluster(json);
  }

  std::vector<std::string> training(const std::string& file, const std::string& steps = "100000") {
    std::vector<std::string> arguments = run_arguments(file, "sft");
    for (std::size_t i = 0; i + 1 < arguments.size(); ++i) {
      if (arguments[i] == "--steps") arguments[i + 1] = steps;
    }
    return arguments;
  }

  /// Starts the training and waits until its ranks have met a few times.
  int start_training(launch::ProcessSet& processes, const std::string& file) {
    const int id = start(processes, training(file));
    EXPECT_TRUE(wait_until(processes, [&] { return records(record::kind::kStep).size() > 3; }))
        << "no steps: " << net_->output();
    return id;
  }

  std::string reason() {
    const auto ends = records(record::kind::kTaskEnd);
    return ends.empty() ? "no task_end" : ends[0].data["reason"].get<std::string>();
  }
};

TEST_F(NetFaults, ANodeThatIsOffIsNamed) {
  const std::string file = linked(2, {{"connect_s", 3}});
  if (IsSkipped()) return;
  ASSERT_EQ(net_->shell("power_off node002"), 0) << net_->output();
  const Ended run = sxbench(training(file));
  EXPECT_EQ(run.status.text(), "exit code 4") << run.err;
  EXPECT_THAT(reason(), HasSubstr("node node002 was lost: no ssh connection"));
  EXPECT_THAT(run.err, HasSubstr("help: try: ssh"));
  // The node has an IPv4 and an IPv6 address, and ssh tries both.
  expect_verdict("node unreachable", records(record::kind::kTaskStart).at(0).mono_ns, 2 * 3 + slack(),
                 "timeouts.connect_s, per address");
}

TEST_F(NetFaults, AWrongHostKeyIsNamed) {
  const std::string file = linked(2, {{"connect_s", 3}});
  if (IsSkipped()) return;
  ASSERT_EQ(net_->shell("new_host_key node001"), 0) << net_->output();
  const Ended run = sxbench(training(file));
  EXPECT_EQ(run.status.text(), "exit code 4") << run.err;
  EXPECT_THAT(reason(), HasSubstr("node node001 was lost: its ssh host key is not the one that is known"));
  expect_verdict("wrong host key", records(record::kind::kTaskStart).at(0).mono_ns, 3 + slack(),
                 "timeouts.connect_s");
}

TEST_F(NetFaults, ANodeThatIsPoweredOffWhileItWorksIsNamedAndTheNextTaskRunsOnASpare) {
  const std::string file = linked(3, {{"agent_silence_s", 10}, {"stop_s", 1}, {"connect_s", 3}});
  if (IsSkipped()) return;
  launch::ProcessSet processes;
  std::vector<std::string> arguments = training(file, "40");
  arguments.insert(arguments.end(), {"--nodes", "2", "--spares", "node003"});
  start(processes, arguments);
  ASSERT_TRUE(wait_until(processes, [&] { return records(record::kind::kStep).size() > 3; }));
  const std::int64_t hit_ns = monotonic_ns();
  ASSERT_EQ(net_->shell("power_off node002"), 0) << net_->output();
  const Ended run = collect(processes, [](const std::string&) {});
  EXPECT_EQ(run.status.text(), "exit code 0") << run.err;
  EXPECT_THAT(reason(), HasSubstr("node node002 was lost: it has not answered for 3 s"));
  expect_verdict("node powered off mid-run", hit_ns, 3 + slack(), "ssh.keepalive_s x 3");
  ASSERT_EQ(findings("node_replaced").size(), 1u);
  EXPECT_EQ(records(record::kind::kTaskStart).back().data["nodes"].dump(), R"(["node001","node003"])");
}

TEST_F(NetFaults, ACutBetweenTwoNodesEndsTheTaskWithTheStateOfEachRank) {
  const int stall_s = 3 * pace();  // the way to the first step must not take so long
  const std::string file = linked(2, {{"stall_s", stall_s}, {"stop_s", 1}, {"evidence_s", 1}});
  if (IsSkipped()) return;
  launch::ProcessSet processes;
  start_training(processes, file);
  const std::int64_t hit_ns = monotonic_ns();
  ASSERT_EQ(net_->shell(
                "ip -n node001 route add blackhole 198.18.0.2; ip -n node002 route add blackhole 198.18.0.1"),
            0)
      << net_->output();
  const Ended run = collect(processes, [](const std::string&) {});
  EXPECT_EQ(run.status.text(), "exit code 1") << run.err;
  EXPECT_THAT(reason(), HasSubstr("no rank has made progress for " +
                                  format_duration(stall_s * std::int64_t{1'000'000'000})));
  expect_verdict("network cut between two nodes", hit_ns, stall_s + slack(), "timeouts.stall_s");
  std::vector<int> seen;
  for (const auto& state : findings("rank_state")) seen.push_back(state.rank);
  EXPECT_THAT(seen, ::testing::UnorderedElementsAre(0, 1));
  EXPECT_TRUE(ranks().empty());
}

TEST_F(NetFaults, ALossyNetworkIsNoFault) {
  const std::string file =
      linked(2, {{"agent_silence_s", 5 * pace()}, {"rank_silence_s", 5 * pace()}, {"stall_s", 20 * pace()}});
  if (IsSkipped()) return;
  // A kernel without netem has tbf: a link of 64 kbit/s with a queue of one packet, which drops the rest.
  const bool netem =
      net_->shell("tc -n node002 qdisc add dev eth0 root netem delay 40ms 10ms loss 5% 2> /dev/null") == 0;
  if (!netem) {
    ASSERT_EQ(net_->shell("tc -n node002 qdisc add dev eth0 root tbf rate 64kbit burst 1600 limit 1600"), 0)
        << net_->output();
  }
  const Ended run = sxbench(training(file, "20"));
  EXPECT_EQ(run.status.text(), "exit code 0") << run.err;
  EXPECT_EQ(records(record::kind::kStep).size(), 20u);
  EXPECT_TRUE(findings("node_lost").empty());
  EXPECT_EQ(net_->shell("tc -s -n node002 qdisc show dev eth0 | grep -q 'dropped [1-9]'"), 0)
      << "nothing was lost";
  tell(netem ? "lossy network (netem)" : "lossy network (tbf)", run.seconds, 60, "none", "the run succeeds");
}

TEST_F(NetFaults, AnAgentThatDiesOnItsNodeIsNamed) {
  const std::string file = linked(2, {{"stop_s", 1}});
  if (IsSkipped()) return;
  launch::ProcessSet processes;
  start_training(processes, file);
  // Not the process id in the journal: the rank's own machine has given it.
  ASSERT_EQ(ranks().size(), 2u);
  const pid_t agent = parent_of(ranks()[0]);
  const std::int64_t hit_ns = monotonic_ns();
  hit(agent, SIGKILL);
  const Ended run = collect(processes, [](const std::string&) {});
  EXPECT_EQ(run.status.text(), "exit code 4") << run.err;
  EXPECT_THAT(reason(), HasSubstr("ended: killed by signal 9 (SIGKILL)"));
  expect_verdict("agent dies, over ssh", hit_ns, 30, "none: ssh sees it end");
  EXPECT_TRUE(ranks().empty());
}

/// A node that has lost its head, whichever way that was reached.
/// The nodes take a head that says nothing for gone; when it comes back, nobody is at fault.
TEST_F(NetFaults, ARunGoesOnWhenItsHeadWasAwayForTooLong) {
  const std::string file = linked(2, {{"agent_silence_s", 4 * pace()}, {"stop_s", 1}, {"evidence_s", 1}});
  if (IsSkipped()) return;
  launch::ProcessSet processes;
  const int id = start(processes, training(file, "100"));
  ASSERT_TRUE(wait_until(processes, [&] { return records(record::kind::kStep).size() > 3; }))
      << net_->output();
  send_signal(processes, id, SIGSTOP);
  launch::ProcessSet none;
  EXPECT_TRUE(wait_until(
      none, [&] { return ranks().empty(); }, 24 + slack()))
      << "its nodes go on without it";
  send_signal(processes, id, SIGCONT);
  const Ended run = collect(processes, [](const std::string&) {});
  EXPECT_EQ(run.status.text(), "exit code 0") << run.err;
  const auto ends = records(record::kind::kTaskEnd);
  ASSERT_EQ(ends.size(), 2u) << "done again";
  EXPECT_THAT(reason(), HasSubstr("the head did not run for"));
  EXPECT_EQ(ends[0].data["failed_node"], "");
  EXPECT_EQ(ends[1].data["status"], "ok");
}

class WithoutHead : public NetFaults, public ::testing::WithParamInterface<const char*> {};

TEST_P(WithoutHead, TheNodesAreFreeAgainWhenItIsKilled) {
  const std::string file = linked(2, {{"stop_s", 1}}, GetParam());
  if (IsSkipped()) return;
  launch::ProcessSet processes;
  const int id = start_training(processes, file);
  ASSERT_EQ(ranks().size(), 2u);
  const std::int64_t hit_ns = monotonic_ns();
  send_signal(processes, id, SIGKILL);
  launch::ProcessSet none;
  EXPECT_TRUE(wait_until(
      none, [&] { return ranks().empty(); }, 24 + slack()));
  tell(fmt::format("head killed, over {}", GetParam()), static_cast<double>(monotonic_ns() - hit_ns) * 1e-9,
       30, "timeouts.stop_s", "ranks have ended");
}

TEST_P(WithoutHead, ANodeThatIsCutOffEndsItsRanksByItself) {
  const int silence_s = 8 * pace();
  const std::string file =
      linked(2, {{"agent_silence_s", silence_s}, {"stop_s", 1}, {"evidence_s", 1}}, GetParam());
  if (IsSkipped()) return;
  launch::ProcessSet processes;
  start_training(processes, file);
  ASSERT_EQ(ranks().size(), 2u);
  const std::int64_t hit_ns = monotonic_ns();
  ASSERT_EQ(net_->shell("ip -n node002 link set eth0 down"), 0) << net_->output();
  const Ended run = collect(processes, [](const std::string&) {});
  EXPECT_EQ(run.status.text(), "exit code 4") << run.err;
  EXPECT_THAT(reason(), HasSubstr("node node002 "));
  expect_verdict(fmt::format("link of a node down, over {}", GetParam()), hit_ns, silence_s + slack(),
                 "ssh.keepalive_s x 3 or timeouts.agent_silence_s");
  launch::ProcessSet none;
  EXPECT_TRUE(wait_until(
      none, [&] { return ranks().empty(); }, 24 + slack()))
      << "nobody can reach them any more";
  tell(fmt::format("cut-off node ends by itself, over {}", GetParam()),
       static_cast<double>(monotonic_ns() - hit_ns) * 1e-9, 30, "timeouts.agent_silence_s",
       "its agent has no head");
}

INSTANTIATE_TEST_SUITE_P(Over, WithoutHead, ::testing::Values("ssh", "pdsh", "slurm"),
                         [](const auto& transport) { return std::string(transport.param); });

}  // namespace
}  // namespace sxb::e2e
