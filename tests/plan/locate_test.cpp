// The search on simulated clusters: which rounds it makes, and what it calls suspect.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "simulated_cluster.h"

namespace sxb::plan {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(CircleMethod, MeetsEveryPairOnceInTheFewestRounds) {
  for (const int nodes : {2, 3, 4, 5, 8, 9, 32}) {
    EXPECT_EQ(circle_rounds(nodes), nodes % 2 == 0 ? nodes - 1 : nodes);
    std::set<std::vector<int>> met;
    for (int turn = 0; turn < circle_rounds(nodes); ++turn) {
      const std::vector<Probe> round = circle_round(nodes, turn);
      EXPECT_THAT(round, SizeIs(static_cast<std::size_t>(nodes / 2)));
      std::set<int> busy;
      for (const Probe& pair : round) {
        EXPECT_TRUE(met.insert(pair.nodes).second) << "twice";
        EXPECT_TRUE(busy.insert(pair.nodes[0]).second && busy.insert(pair.nodes[1]).second);
      }
    }
    EXPECT_EQ(met.size(), static_cast<std::size_t>(nodes * (nodes - 1) / 2)) << nodes;
  }
  EXPECT_EQ(circle_rounds(1), 0);
}

/// All pairs of a hundred thousand nodes would be half a terabyte: a round is computed without the others.
TEST(CircleMethod, ComputesARoundOfAnyNumberOfNodesByItself) {
  EXPECT_THAT(circle_round(100'000, 33'333), SizeIs(50'000));
  const std::vector<int> ranks(100'000, 1);
  std::vector<ProbeResult> results(1);
  results.back().round = 1;  // the nodes and the rails are done
  const ProbeRound round = next_round({}, ranks, results);
  EXPECT_EQ(round.stage, LocateStage::kSample);
  EXPECT_THAT(round.probes, SizeIs(50'000));
}

TEST(NextRound, GoesFromNodesToRailsToPairsAndEndsWhereNothingIsSuspect) {
  Simulated cluster = Simulated::of(5);
  std::vector<LocateStage> stages;
  for (const ProbeResult& result : cluster.search()) {
    if (stages.empty() || stages.back() != result.stage) stages.push_back(result.stage);
  }
  EXPECT_THAT(stages,
              ElementsAre(LocateStage::kNode, LocateStage::kRail, LocateStage::kPair, LocateStage::kRepeat));
}

TEST(NextRound, OneNodeAndTwoNodesHaveASearchToo) {
  EXPECT_EQ(rounds_of(Simulated::of(1, 8).search()), 1);
  EXPECT_EQ(rounds_of(Simulated::of(2, 8).search()), 3) << "the pair is probed again";
}

TEST(NextRound, ASuspectNodeIsTestedAgainWithPartnersAboveSuspicionBesideOthers) {
  Simulated cluster = Simulated::of(6);
  cluster.node_rails[{2, -1}] = 0.5;
  Locate config;
  config.rounds = 4;
  int tests = 0, beside = 0;
  std::set<std::vector<int>> pairs;
  for (const ProbeResult& result : cluster.search(config)) {
    if (result.stage != LocateStage::kConfirm) continue;
    const bool own = std::count(result.nodes.begin(), result.nodes.end(), 2) > 0;
    (own ? tests : beside) += 1;
    if (own) pairs.insert(result.nodes);
  }
  EXPECT_EQ(tests, 4);
  EXPECT_EQ(pairs.size(), 4u) << "a partner that changes proves more";
  EXPECT_EQ(beside, 8) << "as many pairs at once as when it was found";
}

TEST(NextRound, WhereNoPairIsLeftBesideTheTestOneIsProbedAfterIt) {
  Simulated cluster = Simulated::of(3);
  cluster.node_rails[{1, -1}] = 0.5;
  std::vector<std::vector<int>> tests;
  for (const ProbeResult& result : cluster.search()) {
    if (result.stage == LocateStage::kConfirm) tests.push_back(result.nodes);
  }
  ASSERT_THAT(tests, SizeIs(6));
  EXPECT_THAT(tests, Contains(std::vector<int>{0, 2}).Times(3));
}

TEST(NextRound, ASuspectLinkIsTestedAgainAndSoAreItsEnds) {
  Simulated cluster = Simulated::of(5);
  cluster.links[{1, 3}] = 0.4;
  std::map<std::vector<int>, int> tests;
  for (const ProbeResult& result : cluster.search()) {
    if (result.stage == LocateStage::kConfirm) ++tests[result.nodes];
  }
  EXPECT_EQ((tests[{1, 3}]), 3);
  int ends = 0;
  for (const auto& [nodes, count] : tests) {
    const bool one =
        std::count(nodes.begin(), nodes.end(), 1) + std::count(nodes.begin(), nodes.end(), 3) == 1;
    ends += one ? count : 0;
  }
  EXPECT_EQ(ends, 6);
}

/// Figures whose noise hides the fault in three tests and not in nine.
TEST(NextRound, WhatThreeTestsLeaveOpenIsTestedNineTimes) {
  std::map<int, int> searches;  // by tests of the suspect
  for (unsigned seed = 1; seed <= 50; ++seed) {
    Simulated cluster = Simulated::of(8);
    cluster.noise = 0.1;
    cluster.node_rails[{1, -1}] = 0.7;
    cluster.random.seed(seed);
    int tests = 0;
    for (const ProbeResult& result : cluster.search())
      tests +=
          result.stage == LocateStage::kConfirm && std::count(result.nodes.begin(), result.nodes.end(), 1);
    ++searches[tests];
  }
  EXPECT_GT(searches[3], 0);
  EXPECT_GT(searches[9], 0);
}

TEST(Suspects, NothingInACleanCluster) {
  for (const int nodes : {2, 3, 4, 8, 33})
    EXPECT_THAT(suspects_of(Simulated::of(nodes, 8)), IsEmpty()) << nodes;
}

TEST(Suspects, ANodeThatIsSlowWithEveryone) {
  for (const int nodes : {3, 4, 5, 8}) {
    Simulated cluster = Simulated::of(nodes);
    cluster.node_rails[{1, -1}] = 0.33;
    EXPECT_THAT(suspects_of(cluster), ElementsAre("node 1")) << nodes;
  }
}

TEST(Suspects, ALinkAndNotItsEnds) {
  for (const int nodes : {3, 4, 5, 8}) {
    Simulated cluster = Simulated::of(nodes);
    cluster.links[{0, 2}] = 0.33;
    EXPECT_THAT(suspects_of(cluster), ElementsAre("link 0-2")) << nodes;
  }
}

TEST(Suspects, AnyMinorityOfNodes) {
  Simulated cluster = Simulated::of(7);
  for (const int node : {0, 3, 6}) cluster.node_rails[{node, -1}] = 0.3 + 0.1 * node;
  EXPECT_THAT(suspects_of(cluster), ElementsAre("node 0", "node 3", "node 6"));
}

TEST(Suspects, OneNicOfEight) {
  Simulated cluster = Simulated::of(4, 8);
  cluster.node_rails[{2, 5}] = 0.8;
  EXPECT_THAT(suspects_of(cluster), ElementsAre("node rail 2 #5"));
}

TEST(Suspects, ASwitchPlane) {
  Simulated cluster = Simulated::of(4, 8);
  for (int node = 0; node < 4; ++node) cluster.node_rails[{node, 3}] = 0.6;
  EXPECT_THAT(suspects_of(cluster), ElementsAre("rail #3"));
}

TEST(Suspects, AGpuAndTheInsideOfANode) {
  Simulated cluster = Simulated::of(4, 8);
  cluster.gpus[{3, 6}] = 0.5;
  cluster.insides[0] = 0.7;
  EXPECT_THAT(suspects_of(cluster), ElementsAre("gpu 3 #6", "inside 0"));
}

TEST(Suspects, ACutLinkAndANodeThatNobodyReaches) {
  Simulated cut = Simulated::of(5);
  cut.links[{1, 2}] = 0;
  EXPECT_THAT(suspects_of(cut), ElementsAre("link 1-2"));
  Simulated gone = Simulated::of(5);
  for (int node = 0; node < 4; ++node) gone.links[{node, 4}] = 0;
  EXPECT_THAT(suspects_of(gone), ElementsAre("node 4"));
}

// What does not answer at all, on one rail: the other rails of the same probes have figures.

TEST(Suspects, ADeadSwitchPlane) {
  for (const int nodes : {3, 4, 6, 9}) {
    for (const int rail : {0, 2, 3}) {
      Simulated cluster = Simulated::of(nodes, 4);
      for (int node = 0; node < nodes; ++node) cluster.node_rails[{node, rail}] = 0;
      const std::string name = "rail #" + std::to_string(rail);
      EXPECT_THAT(suspects_of(cluster), ElementsAre(name)) << nodes;
      EXPECT_THAT(named_of(cluster), ElementsAre(name)) << nodes;
    }
  }
}

TEST(Suspects, ADeadNic) {
  for (const int nodes : {3, 4, 6, 9}) {
    Simulated cluster = Simulated::of(nodes, 4);
    cluster.node_rails[{2, 1}] = 0;
    EXPECT_THAT(suspects_of(cluster), ElementsAre("node rail 2 #1")) << nodes;
    EXPECT_THAT(named_of(cluster), ElementsAre("node rail 2 #1")) << nodes;
  }
}

TEST(Suspects, DeadNicsOfSeveralNodesAndRails) {
  Simulated cluster = Simulated::of(6, 4);
  for (const Pair& nic : {Pair{3, 1}, Pair{0, 1}, Pair{5, 2}}) cluster.node_rails[nic] = 0;
  EXPECT_THAT(suspects_of(cluster), ElementsAre("node rail 0 #1", "node rail 3 #1", "node rail 5 #2"));
  EXPECT_THAT(named_of(cluster), ElementsAre("node rail 0 #1", "node rail 3 #1", "node rail 5 #2"));
}

/// Nodes of two and of four rails have two in common.
TEST(Suspects, ANodeOfOtherSizeThatNobodyReaches) {
  Simulated cluster = Simulated::of(6, 4);
  cluster.ranks[5] = 2;
  for (int node = 0; node < 5; ++node) cluster.links[{node, 5}] = 0;
  EXPECT_THAT(suspects_of(cluster), ElementsAre("node 5"));
}

TEST(Suspects, ALinkOfOneRailThatIsCut) {
  Simulated cluster = Simulated::of(6, 4);
  cluster.rail_links[{{1, 4}, 2}] = 0;
  EXPECT_THAT(suspects_of(cluster), ElementsAre("link 1-4 #2"));
}

/// A plane that is dead and another that is slow; a dead NIC beside a slow one.
TEST(Suspects, ADeadPartHidesNoSlowOne) {
  Simulated planes = Simulated::of(6, 4);
  for (int node = 0; node < 6; ++node) {
    planes.node_rails[{node, 0}] = 0;
    planes.node_rails[{node, 2}] = 0.5;
  }
  EXPECT_THAT(suspects_of(planes), ElementsAre("rail #0", "rail #2"));
  Simulated nics = Simulated::of(6, 4);
  nics.node_rails[{3, 1}] = 0;
  nics.node_rails[{4, 1}] = 0.6;
  EXPECT_THAT(suspects_of(nics), ElementsAre("node rail 3 #1", "node rail 4 #1"));
  Simulated node = Simulated::of(6, 4);  // what is left of it is slow
  for (const int rail : {0, 2, 3}) node.node_rails[{3, rail}] = 0.5;
  node.node_rails[{3, 1}] = 0;
  EXPECT_THAT(suspects_of(node), ElementsAre("node rail 3 #1", "node 3"));
}

/// Rail 0 without figures and without a failure, as where nothing ran there: the others keep their numbers.
TEST(Suspects, RailsWithoutFiguresMoveNoOthers) {
  Simulated cluster = Simulated::of(6, 4);
  for (int node = 0; node < 6; ++node) cluster.node_rails[{node, 2}] = 0.5;
  auto results = cluster.search();
  for (ProbeResult& result : results) {
    if (result.nodes.size() > 1) result.busbw_gBps.front().reset();
  }
  EXPECT_THAT(names(suspects_in(cluster, results)), ElementsAre("rail #2"));
}

TEST(Suspects, WhereNobodyAnswersAllAreNamed) {
  Simulated cluster = Simulated::of(4, 2);
  for (int a = 0; a < 4; ++a)
    for (int b = a + 1; b < 4; ++b) cluster.links[{a, b}] = 0;
  EXPECT_THAT(suspects_of(cluster), ElementsAre("node 0", "node 1", "node 2", "node 3"));
}

TEST(Suspects, WhatIsBelowTheSensitivityIsNone) {
  Simulated cluster = Simulated::of(8);
  cluster.node_rails[{1, -1}] = 0.97;
  const auto results = cluster.search();
  const Suspicion found = find_suspects(cluster.ranks, results, Locate{}.rounds);
  EXPECT_THAT(found.suspects, IsEmpty());
  ASSERT_TRUE(found.spread.node_share);
  EXPECT_GT(*found.spread.node_share, 0.9);
  EXPECT_LE(*found.spread.node_share, 0.95);
  EXPECT_NEAR(*found.spread.pair_gBps, 48, 1);
}

// Many nodes: rounds grow with the logarithm of the nodes, whatever is wrong.
TEST(Bisection, FindsTheBadNodesOf256InLogarithmicRounds) {
  for (const int bad : {0, 1, 3, 8}) {
    Simulated cluster = Simulated::of(256);
    std::vector<std::string> expected;
    for (int i = 0; i < bad; ++i) {
      const int node = 7 + i * 29;
      cluster.node_rails[{node, -1}] = 0.5;
      expected.push_back("node " + std::to_string(node));
    }
    const auto results = cluster.search();
    EXPECT_EQ(with_standing(trials_of(cluster, results), Standing::kConfirmed), expected) << bad;
    // Nodes, rails, 3 samples, their repeat, 7 halvings from 256 to 2, 3 confirmations.
    EXPECT_LE(rounds_of(results), bad == 0 ? 6 : 6 + 7 + 3) << bad;
    std::size_t narrowed = 0;
    for (const ProbeResult& result : results) {
      if (result.stage == LocateStage::kBisect && result.nodes.size() == 2) narrowed += 1;
    }
    EXPECT_LE(narrowed, static_cast<std::size_t>(4 * bad)) << "only slow groups are halved";
    EXPECT_GE(narrowed, bad > 0 ? 2u : 0u);
  }
}

/// Anything that a search of 256 nodes may find; it is all that it names.
std::vector<std::string> named_of_256(const std::function<void(Simulated&)>& break_it, int per_node = 1) {
  Simulated cluster = Simulated::of(256, per_node);
  break_it(cluster);
  const auto results = cluster.search();
  EXPECT_LE(rounds_of(results), 6 + 7 + 1 + 6);  // a link's ends are tested after it
  return with_standing(trials_of(cluster, results), Standing::kConfirmed);
}

TEST(Bisection, FindsAnySlowStepOfTheRingOf256) {
  for (const int node : {0, 31, 126, 127, 201, 254, 255}) {
    const Pair link = std::minmax({node, (node + 1) % 256});
    const std::string name = "link " + std::to_string(link.first) + "-" + std::to_string(link.second);
    EXPECT_THAT(named_of_256([&](Simulated& c) { c.links[link] = 0.4; }), ElementsAre(name));
  }
}

TEST(Bisection, FindsANodeOf256ThatIsSlowOneWay) {
  for (const bool sends : {true, false}) {
    const auto break_it = [&](Simulated& cluster) {
      for (int other = 0; other < 256; ++other)
        cluster.ways[sends ? std::pair(77, other) : std::pair(other, 77)] = 0.5;
    };
    EXPECT_THAT(named_of_256(break_it), ElementsAre("node 77")) << sends;
  }
}

TEST(Bisection, FindsARailAndOneNicOf256Nodes) {
  const auto plane = [](Simulated& cluster) {
    for (int node = 0; node < 256; ++node) cluster.node_rails[{node, 2}] = 0.7;
  };
  EXPECT_THAT(named_of_256(plane, 4), ElementsAre("rail #2"));
  EXPECT_THAT(named_of_256(
                  [](Simulated& c) {
                    c.node_rails[{200, 3}] = 0.6;
                  },
                  4),
              ElementsAre("node rail 200 #3"));
}

TEST(Bisection, FindsWhatIsDeadAmong1024Nodes) {
  const auto named = [](const std::function<void(Simulated&)>& break_it) {
    Simulated cluster = Simulated::of(1024, 4);
    break_it(cluster);
    const auto results = cluster.search();
    return with_standing(trials_of(cluster, results), Standing::kConfirmed);
  };
  EXPECT_THAT(named([](Simulated& c) {
                for (int node = 0; node < 1024; ++node) c.node_rails[{node, 1}] = 0;
              }),
              ElementsAre("rail #1"));
  EXPECT_THAT(named([](Simulated& c) { c.node_rails[{700, 2}] = 0; }), ElementsAre("node rail 700 #2"));
}

TEST(Bisection, LooksBetweenHalvesThatAreFast) {
  for (const int nodes : {64, 66, 35, 65}) {
    for (int node = 0; node < nodes; ++node) {
      Simulated cluster = Simulated::of(nodes);
      const Pair link = std::minmax({node, (node + 1) % nodes});
      cluster.links[link] = 0.3;
      const std::string name = "link " + std::to_string(link.first) + "-" + std::to_string(link.second);
      EXPECT_THAT(named_of(cluster), ElementsAre(name)) << nodes;
    }
  }
}

TEST(Bisection, AnOddNumberOfNodesHidesNone) {
  Simulated cluster = Simulated::of(35);
  cluster.node_rails[{34, -1}] = 0.5;
  EXPECT_THAT(suspects_of(cluster), ElementsAre("node 34"));
}

TEST(ValidateLocate, NamesTheFlag) {
  Locate config;
  EXPECT_TRUE(validate_locate(config).ok());
  config.rounds = 0;
  config.size_bytes = 0;
  const Status status = validate_locate(config);
  ASSERT_EQ(status.errors().size(), 2u);
  EXPECT_EQ(status.errors()[0].where, "--size");
  EXPECT_EQ(status.errors()[1].where, "--rounds");
  config = {};
  config.size_bytes = 130;
  EXPECT_EQ(validate_locate(config).error().help, "use --size 128 or 132");
  config.size_bytes = std::int64_t{1} << 41;
  EXPECT_EQ(validate_locate(config).error().what, "a probe of 2 TiB is larger than 1 TiB");
  config = {};
  config.rounds = 1001;
  config.timeout_s = 1e6;
  EXPECT_EQ(validate_locate(config).errors().size(), 2u);
  EXPECT_EQ(validate_locate(config).error().help, "use --rounds 1000 or less");
}

}  // namespace
}  // namespace sxb::plan
