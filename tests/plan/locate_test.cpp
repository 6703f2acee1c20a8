// The search on simulated clusters: which rounds it makes, and what it calls suspect.
#include "sxbench/plan/locate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "plan/locate_groups.h"

namespace sxb::plan {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Pair = std::pair<int, int>;

/// A cluster whose figures are known: what an end, a link or a GPU allows, times noise that does not repeat.
struct Simulated {
  std::vector<int> ranks;
  double normal = 48, noise = 0.01;
  std::map<Pair, double> node_rails;  ///< (node, rail; -1 = all) -> share
  std::map<Pair, double> links;       ///< (node, higher node) -> share, 0 = cut
  std::map<Pair, double> gpus;        ///< (node, local rank) -> share
  std::map<int, double> insides;      ///< node -> share of what its ranks reach among themselves
  unsigned state = 1;

  static Simulated of(int nodes, int per_node = 1) {
    Simulated cluster;
    cluster.ranks.assign(static_cast<std::size_t>(nodes), per_node);
    return cluster;
  }

  double jitter() {
    state = state * 1664525u + 1013904223u;
    return 1 + noise * (static_cast<double>(state >> 8) / (1 << 24) - 0.5);
  }
  static double share(const std::map<Pair, double>& faults, Pair place) {
    const auto it = faults.find(place);
    return it == faults.end() ? 1 : it->second;
  }
  double end(int node, int rail) {
    return std::min(share(node_rails, {node, rail}), share(node_rails, {node, -1}));
  }

  ProbeResult probe(const ProbeRound& round, const Probe& probe) {
    ProbeResult result{round.stage, round.number, probe.nodes, {}, {}, ""};
    if (probe.nodes.size() == 1) {
      const int node = probe.nodes.front();
      const int count = ranks[static_cast<std::size_t>(node)];
      for (int r = 0; r < count; ++r) result.tflops.push_back(700 * share(gpus, {node, r}) * jitter());
      const auto inside = insides.find(node);
      result.busbw_gBps.push_back(
          count > 1 ? std::optional(360 * (inside == insides.end() ? 1 : inside->second) * jitter())
                    : std::nullopt);
      return result;
    }
    int rails = 1 << 20;
    for (const int node : probe.nodes) rails = std::min(rails, ranks[static_cast<std::size_t>(node)]);
    for (int rail = 0; rail < rails; ++rail) {
      double slowest = 1;
      for (std::size_t i = 0; i < probe.nodes.size(); ++i) {
        const int a = probe.nodes[i];
        const int b = probe.nodes[(i + 1) % probe.nodes.size()];
        slowest = std::min({slowest, end(a, rail), share(links, {std::min(a, b), std::max(a, b)})});
      }
      if (slowest == 0) result.failure = "no answer";
      result.busbw_gBps.push_back(slowest == 0 ? std::nullopt : std::optional(normal * slowest * jitter()));
    }
    return result;
  }

  /// The whole search; what every round probed is kept.
  std::vector<ProbeResult> search(const Locate& config = {}) {
    std::vector<ProbeResult> results;
    for (int guard = 0; guard < 1000; ++guard) {
      const ProbeRound round = next_round(config, ranks, results);
      if (round.probes.empty()) return results;
      EXPECT_EQ(round.number, guard);
      std::set<int> busy;
      for (const Probe& one : round.probes) {
        EXPECT_TRUE(std::is_sorted(one.nodes.begin(), one.nodes.end()));
        for (const int node : one.nodes) EXPECT_TRUE(busy.insert(node).second) << "in two probes at once";
        results.push_back(probe(round, one));
      }
    }
    ADD_FAILURE() << "the search does not end";
    return results;
  }
};

int rounds_of(const std::vector<ProbeResult>& results) { return results.back().round + 1; }

std::vector<std::string> names(const std::vector<Suspect>& suspects) {
  std::vector<std::string> out;
  for (const Suspect& s : suspects) {
    const char* kinds[] = {"gpu", "inside", "node", "node rail", "link", "rail"};
    std::string name = kinds[static_cast<int>(s.fault)];
    if (s.node >= 0) name += " " + std::to_string(s.node);
    if (s.peer >= 0) name += "-" + std::to_string(s.peer);
    if (s.rail >= 0) name += " #" + std::to_string(s.rail);
    out.push_back(name);
  }
  return out;
}

std::vector<std::string> suspects_of(Simulated cluster, const Locate& config = {}) {
  const auto results = cluster.search(config);
  return names(find_suspects(cluster.ranks, results).suspects);
}

TEST(CircleMethod, MeetsEveryPairOnceInTheFewestRounds) {
  for (const int nodes : {2, 3, 4, 5, 8, 9, 32}) {
    const auto rounds = circle_rounds(nodes);
    EXPECT_THAT(rounds, SizeIs(static_cast<std::size_t>(nodes % 2 == 0 ? nodes - 1 : nodes))) << nodes;
    std::set<std::vector<int>> met;
    for (const auto& round : rounds) {
      EXPECT_THAT(round, SizeIs(static_cast<std::size_t>(nodes / 2)));
      std::set<int> busy;
      for (const Probe& pair : round) {
        EXPECT_TRUE(met.insert(pair.nodes).second) << "twice";
        EXPECT_TRUE(busy.insert(pair.nodes[0]).second && busy.insert(pair.nodes[1]).second);
      }
    }
    EXPECT_EQ(met.size(), static_cast<std::size_t>(nodes * (nodes - 1) / 2)) << nodes;
  }
  EXPECT_THAT(circle_rounds(1), IsEmpty());
}

TEST(NextRound, GoesFromNodesToRailsToPairsAndEndsWhereNothingIsSuspect) {
  Simulated cluster = Simulated::of(5);
  std::vector<LocateStage> stages;
  for (const ProbeResult& result : cluster.search()) {
    if (stages.empty() || stages.back() != result.stage) stages.push_back(result.stage);
  }
  EXPECT_THAT(stages, ElementsAre(LocateStage::kNode, LocateStage::kRail, LocateStage::kPair));
}

TEST(NextRound, OneNodeAndTwoNodesHaveASearchToo) {
  EXPECT_EQ(rounds_of(Simulated::of(1, 8).search()), 1);
  EXPECT_EQ(rounds_of(Simulated::of(2, 8).search()), 2);
}

TEST(NextRound, ASuspectNodeIsTestedAgainWithPartnersAboveSuspicion) {
  Simulated cluster = Simulated::of(6);
  cluster.node_rails[{2, -1}] = 0.5;
  Locate config;
  config.rounds = 4;
  int tests = 0;
  std::set<std::vector<int>> pairs;
  for (const ProbeResult& result : cluster.search(config)) {
    if (result.stage != LocateStage::kConfirm) continue;
    ++tests;
    EXPECT_THAT(result.nodes, ::testing::Contains(2));
    pairs.insert(result.nodes);
  }
  EXPECT_EQ(tests, 4);
  EXPECT_EQ(pairs.size(), 4u) << "a partner that changes proves more";
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
  for (const auto& [nodes, count] : tests) ends += nodes == std::vector<int>{1, 3} ? 0 : count;
  EXPECT_EQ(ends, 6);
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

TEST(Suspects, WhatIsBelowTheSensitivityIsNone) {
  Simulated cluster = Simulated::of(8);
  cluster.node_rails[{1, -1}] = 0.97;
  const auto results = cluster.search();
  const Suspicion found = find_suspects(cluster.ranks, results);
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
    EXPECT_EQ(names(find_suspects(cluster.ranks, results).suspects), expected) << bad;
    // Nodes, rails, 3 samples, 7 halvings from 256 to 2, 2 across halves, 3 confirmations.
    EXPECT_LE(rounds_of(results), 1 + 1 + 3 + 7 + 2 + 3) << bad;
    std::size_t narrowed = 0;
    for (const ProbeResult& result : results) {
      if (result.stage == LocateStage::kBisect && result.nodes.size() == 2) narrowed += 1;
    }
    EXPECT_LE(narrowed, static_cast<std::size_t>(4 * bad)) << "only slow groups are halved";
    EXPECT_GE(narrowed, bad > 0 ? 2u : 0u);
  }
}

TEST(Bisection, LooksBetweenHalvesThatAreFast) {
  Simulated cluster = Simulated::of(64);
  cluster.links[{31, 32}] = 0.3;  // the ring of all goes over it, those of the halves do not
  bool across = false;
  for (const ProbeResult& result : cluster.search()) across = across || result.stage == LocateStage::kCross;
  EXPECT_TRUE(across);
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
}

}  // namespace
}  // namespace sxb::plan
