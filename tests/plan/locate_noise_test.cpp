// The search on simulated clusters whose figures vary: it names nobody for that, and still finds what is
// slow.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "simulated_cluster.h"

namespace sxb::plan {
namespace {

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

/// Tests of their own, because under a sanitizer all together are too long for one.
class NoiseOf : public ::testing::TestWithParam<int> {};

TEST_P(NoiseOf, NamesNobody) {
  const int nodes = GetParam();
  double sum = 0;
  for (const Level level : kLevels) {
    const double innocent = search_often(noisy(nodes, level), "", nodes > 8 ? 50 : 200).innocent;
    EXPECT_LE(innocent, 0.025) << nodes << " nodes, noise " << level.noise << ", drops " << level.drops;
    sum += innocent;
  }
  EXPECT_LE(sum / static_cast<double>(std::size(kLevels)), 0.005);
}

INSTANTIATE_TEST_SUITE_P(Nodes, NoiseOf, ::testing::Values(3, 4, 5, 8, 16, 40));

TEST(Noise, NamesNoRailAndNoGpu) {
  for (const int nodes : {1, 2, 4}) {
    for (const Level level : kLevels) {
      const double innocent = search_often(noisy(nodes, level, 8), "", 50).innocent;
      EXPECT_LE(innocent, 0.04) << nodes << " nodes, noise " << level.noise << ", drops " << level.drops;
    }
  }
}

struct Fault {
  int nodes;
  double noise, share, least;
};
class NoiseAnd : public ::testing::TestWithParam<Fault> {};

TEST_P(NoiseAnd, LeavesFaultsVisible) {
  const Fault& s = GetParam();
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

INSTANTIATE_TEST_SUITE_P(Faults, NoiseAnd,
                         ::testing::Values(Fault{3, 0.03, 0.7, 0.95}, Fault{4, 0.05, 0.7, 0.95},
                                           Fault{5, 0.05, 0.7, 0.95}, Fault{8, 0.05, 0.7, 0.95},
                                           Fault{16, 0.05, 0.7, 0.95}, Fault{4, 0.1, 0.4, 0.95},
                                           Fault{8, 0.1, 0.4, 0.95}, Fault{16, 0.1, 0.4, 0.95}));

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

}  // namespace
}  // namespace sxb::plan
