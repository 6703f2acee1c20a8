// The search on simulated clusters: which rounds it makes, and what it calls suspect.
#include "sxbench/plan/locate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <random>
#include <set>

#include "plan/locate_groups.h"

namespace sxb::plan {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Pair = std::pair<int, int>;

/// A cluster whose figures are known: what an end, a link or a GPU allows, times noise that does not repeat.
struct Simulated {
  std::vector<int> ranks;
  double normal = 48;
  double noise = 0.002;               ///< standard deviation of the logarithm of a figure
  double drops = 0;                   ///< share of the probes that lose up to 60 %, as beside another process
  std::map<Pair, double> node_rails;  ///< (node, rail; -1 = all) -> share
  std::map<Pair, double> links;       ///< (node, higher node) -> share, 0 = cut
  std::map<Pair, double> gpus;        ///< (node, local rank) -> share
  std::map<int, double> insides;      ///< node -> share of what its ranks reach among themselves
  std::map<Pair, double> ways;        ///< (from, to) -> share of what goes that way
  std::mt19937 random{1};

  static Simulated of(int nodes, int per_node = 1) {
    Simulated cluster;
    cluster.ranks.assign(static_cast<std::size_t>(nodes), per_node);
    return cluster;
  }

  double jitter() {
    double factor = std::exp(noise * std::normal_distribution()(random));
    std::uniform_real_distribution<double> uniform;
    if (drops > 0 && uniform(random) < drops) factor *= 1 - 0.6 * uniform(random);
    return factor;
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
        const int b = probe.nodes[(i + 1) % probe.nodes.size()];  // a ring sends one way; of two it is both
        slowest = std::min({slowest, end(a, rail), share(links, std::minmax(a, b)), share(ways, {a, b})});
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

std::vector<Suspect> suspects_in(const Simulated& cluster, const std::vector<ProbeResult>& results) {
  return find_suspects(cluster.ranks, results, Locate{}.rounds).suspects;
}

std::vector<std::string> suspects_of(Simulated cluster, const Locate& config = {}) {
  const auto results = cluster.search(config);
  return names(suspects_in(cluster, results));
}

std::vector<Trial> trials_of(const Simulated& cluster, const std::vector<ProbeResult>& results) {
  return judge_suspects(cluster.ranks, suspects_in(cluster, results), results);
}

std::vector<std::string> with_standing(const std::vector<Trial>& trials, Standing standing) {
  std::vector<Suspect> out;
  for (const Trial& trial : trials) {
    if (trial.standing == standing) out.push_back(trial.suspect);
  }
  return names(out);
}

std::vector<std::string> named_of(Simulated cluster, const Locate& config = {}) {
  const auto results = cluster.search(config);
  return with_standing(trials_of(cluster, results), Standing::kConfirmed);
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

/// Shares of many searches that differ in nothing but their noise.
struct Outcome {
  double innocent = 0;  ///< something was named that is not at fault
  double found = 0;     ///< what is at fault was named
};
Outcome search_often(const Simulated& like, const std::string& guilty, int searches) {
  Outcome outcome;
  for (int seed = 1; seed <= searches; ++seed) {
    Simulated cluster = like;
    cluster.random.seed(static_cast<unsigned>(seed));
    const auto named = named_of(cluster);
    const auto hits = std::count(named.begin(), named.end(), guilty);
    outcome.found += hits > 0 ? 1.0 / searches : 0;
    outcome.innocent += static_cast<std::size_t>(hits) < named.size() ? 1.0 / searches : 0;
  }
  return outcome;
}

/// From a quiet network to ranks that share busy cores.
struct Level {
  double noise, drops;
};
constexpr Level kLevels[] = {{0.02, 0}, {0.1, 0}, {0.3, 0}, {0.05, 0.1}, {0.1, 0.3}};

Simulated noisy(int nodes, Level level, int per_node = 1) {
  Simulated cluster = Simulated::of(nodes, per_node);
  cluster.noise = level.noise;
  cluster.drops = level.drops;
  return cluster;
}

TEST(Noise, NamesNobody) {
  double sum = 0;
  int settings = 0;
  for (const int nodes : {3, 4, 5, 8, 16, 40}) {
    for (const Level level : kLevels) {
      const double innocent = search_often(noisy(nodes, level), "", nodes > 8 ? 50 : 200).innocent;
      EXPECT_LE(innocent, 0.025) << nodes << " nodes, noise " << level.noise << ", drops " << level.drops;
      sum += innocent;
      ++settings;
    }
  }
  EXPECT_LE(sum / settings, 0.005);
}

TEST(Noise, NamesNoRailAndNoGpu) {
  for (const int nodes : {1, 2, 4}) {
    for (const Level level : kLevels) {
      const double innocent = search_often(noisy(nodes, level, 8), "", 50).innocent;
      EXPECT_LE(innocent, 0.04) << nodes << " nodes, noise " << level.noise << ", drops " << level.drops;
    }
  }
}

TEST(Noise, LeavesFaultsVisible) {
  struct Setting {
    int nodes;
    double noise, share, least;
  };
  const Setting settings[] = {{3, 0.03, 0.7, 0.95}, {4, 0.05, 0.7, 0.95},  {5, 0.05, 0.7, 0.95},
                              {8, 0.05, 0.7, 0.95}, {16, 0.05, 0.7, 0.95}, {4, 0.1, 0.4, 0.95},
                              {8, 0.1, 0.4, 0.95},  {16, 0.1, 0.4, 0.95}};
  for (const Setting& s : settings) {
    Simulated node = noisy(s.nodes, {s.noise, 0});
    node.node_rails[{1, -1}] = s.share;
    const Outcome of_node = search_often(node, "node 1", 100);
    EXPECT_GE(of_node.found, s.least) << "node of " << s.nodes << ", noise " << s.noise;
    EXPECT_LE(of_node.innocent, 0.02) << "node of " << s.nodes << ", noise " << s.noise;
    Simulated link = noisy(s.nodes, {s.noise, 0});
    link.links[{0, 2}] = s.share;
    const Outcome of_link = search_often(link, "link 0-2", 100);
    EXPECT_GE(of_link.found, s.least) << "link of " << s.nodes << ", noise " << s.noise;
    EXPECT_LE(of_link.innocent, 0.02) << "link of " << s.nodes << ", noise " << s.noise;
  }
}

/// The sensitivity that a search states of itself holds.
TEST(Noise, WhatWouldHaveBeenNamedIs) {
  for (const double noise : {0.02, 0.05, 0.1}) {
    int found = 0, searches = 0;
    for (unsigned seed = 1; seed <= 100; ++seed) {
      Simulated cluster = noisy(8, {noise, 0});
      cluster.random.seed(seed);
      const auto clean = cluster.search();
      cluster.node_rails[{3, -1}] =
          0.98 * *find_suspects(cluster.ranks, clean, Locate{}.rounds).spread.node_share;
      const auto named = named_of(cluster);
      found += std::count(named.begin(), named.end(), "node 3") > 0;
      ++searches;
    }
    EXPECT_GE(found, 0.85 * searches) << noise;
  }
}

TEST(Noise, IsMeasuredByRepeats) {
  for (const double noise : {0.01, 0.1, 0.3}) {
    Simulated cluster = noisy(32, {noise, 0}, 8);
    const auto results = cluster.search();
    EXPECT_NEAR(*find_suspects(cluster.ranks, results, 3).spread.noise, noise, 0.2 * noise);
  }
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
