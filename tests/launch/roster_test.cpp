// Which nodes tasks get after others have failed, and what a resumed run knows of that.
#include "launch/head/roster.h"

#include <gmock/gmock.h>

namespace sxb::launch {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

config::Node called(const std::string& name) {
  config::Node node;
  node.name = node.host = name;
  return node;
}

/// n0, n1, ... reached by ssh, of which the last are spares, with a rank each.
RunOptions run_on(int nodes, int spares) {
  RunOptions options;
  options.cluster.transport = config::TransportKind::kSsh;
  for (int i = 0; i < nodes; ++i) {
    NodePlacement place;
    place.node = called("n" + std::to_string(i));
    place.ranks = 1;
    options.placement.nodes.push_back(place);
    options.cluster.nodes.push_back(place.node);
    if (i >= nodes - spares) options.spares.push_back(place.node.name);
  }
  return options;
}

std::vector<std::string> names_of(const RunOptions& options) {
  std::vector<std::string> names;
  for (const NodePlacement& node : options.placement.nodes) names.push_back(node.node.name);
  return names;
}

plan::Task task_on(int nodes) {
  plan::Task task;
  task.nodes = nodes;
  return task;
}

TaskOutcome absent(std::vector<std::string> names) {
  TaskOutcome outcome;
  outcome.status = "failed";
  outcome.node_fault = true;
  outcome.failed_node = names.front();
  outcome.absent_nodes = std::move(names);
  return outcome;
}

TEST(Roster, EveryNodeThatIsNotThereGetsASpareWhileThereIsOne) {
  RunOptions options = run_on(6, 2);
  options.cluster.rendezvous.host = "10.0.0.1";
  Roster roster(options);
  const auto changes = roster.after(absent({"n0", "n2"}));
  EXPECT_THAT(changes.replaced, ElementsAre(Pair("n0", "n4"), Pair("n2", "n5")));
  EXPECT_THAT(changes.left_out, IsEmpty());
  EXPECT_THAT(names_of(options), ElementsAre("n4", "n1", "n5", "n3"));
  EXPECT_EQ(options.cluster.rendezvous.host, "") << "it was the address of n0";
  EXPECT_TRUE(roster.fits(task_on(4)));
}

TEST(Roster, WithoutASpareTheyAreLeftOutAndTheOthersServeWhatTheyCan) {
  RunOptions options = run_on(5, 0);
  Roster roster(options);
  const auto changes = roster.after(absent({"n1", "n3"}));
  EXPECT_THAT(changes.replaced, IsEmpty());
  EXPECT_THAT(changes.left_out, ElementsAre("n1", "n3"));
  EXPECT_THAT(names_of(options), ElementsAre("n0", "n2", "n4"));
  EXPECT_TRUE(roster.fits(task_on(3)));
  EXPECT_FALSE(roster.fits(task_on(4)));
  const TaskOutcome outcome = roster.too_few_for(task_on(4));
  EXPECT_EQ(outcome.status, "failed");
  EXPECT_EQ(outcome.code, ExitCode::kEnvironment);
  EXPECT_EQ(outcome.failed_node, "n1");
  EXPECT_THAT(outcome.reason, HasSubstr("needs 4 nodes"));
  EXPECT_THAT(outcome.reason, HasSubstr("3 are left: n[1,3] were not there before, and are not tried again"));
}

TEST(Roster, ANodeWithOtherRanksDoesNotTakeAPlaceOfThePlan) {
  RunOptions options = run_on(3, 0);
  options.placement.nodes[2].ranks = 4;
  Roster roster(options);
  roster.after(absent({"n0"}));
  EXPECT_TRUE(roster.fits(task_on(1)));
  EXPECT_FALSE(roster.fits(task_on(2)));
}

TEST(Roster, ANodeThatFailedInTheMiddleIsTriedAgainWithoutASpare) {
  RunOptions options = run_on(2, 0);
  Roster roster(options);
  TaskOutcome outcome = absent({"n1"});
  outcome.absent_nodes.clear();
  EXPECT_FALSE(roster.after(outcome).any());
  EXPECT_THAT(names_of(options), ElementsAre("n0", "n1"));
  EXPECT_TRUE(roster.fits(task_on(2)));
}

TEST(Roster, WhatABatchSystemHandsOutIsNotChangedForOtherNodes) {
  RunOptions options = run_on(3, 0);
  options.cluster.transport = config::TransportKind::kSlurm;
  Roster roster(options);
  EXPECT_FALSE(roster.after(absent({"n1"})).any());
  EXPECT_TRUE(roster.fits(task_on(3)));
}

std::vector<std::string> gone_on(RunOptions options, const std::vector<std::vector<std::string>>& starts) {
  Roster(options).go_on(starts);
  return names_of(options);
}

TEST(Roster, ASpareKeepsThePlaceThatItTook) {
  const auto names = gone_on(run_on(5, 2), {{"n0", "n1", "n2"}, {"n0", "n3", "n2"}, {"n0", "n3"}});
  EXPECT_THAT(names, ElementsAre("n0", "n3", "n2", "n4")) << "n4 is still a spare, n1 is none";
}

TEST(Roster, OneSpareAfterTheOtherIsKnown) {
  EXPECT_THAT(gone_on(run_on(4, 2), {{"n0", "n1"}, {"n0", "n2"}, {"n0", "n3"}}), ElementsAre("n0", "n3"));
}

TEST(Roster, NodesThatWereLeftOutAreInTheirPlacesAgain) {
  EXPECT_THAT(gone_on(run_on(3, 0), {{"n0", "n1"}, {"n1", "n2"}, {"nobody", "n0", "x", "y"}}),
              ElementsAre("n0", "n1", "n2"));
  EXPECT_THAT(gone_on(run_on(3, 1), {{"nobody", "n0", "x", "y"}, {}}), ElementsAre("n0", "n1", "n2"));
}

}  // namespace
}  // namespace sxb::launch
