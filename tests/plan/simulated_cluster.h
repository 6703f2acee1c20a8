// A cluster whose figures are known, and what the search makes of it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "plan/locate/locate.h"
#include "plan/locate/trial_groups.h"

namespace sxb::plan {

using Pair = std::pair<int, int>;

/// A cluster whose figures are known: what an end, a link or a GPU allows, times noise that does not repeat.
struct Simulated {
  std::vector<int> ranks;
  double normal = 48;
  double noise = 0.002;               ///< standard deviation of the logarithm of a figure
  double drops = 0;                   ///< share of the probes that lose up to 60 %, as beside another process
  std::map<Pair, double> node_rails;  ///< (node, rail; -1 = all) -> share
  std::map<Pair, double> links;       ///< (node, higher node) -> share, 0 = cut
  std::map<std::pair<Pair, int>, double> rail_links;  ///< the same on one rail
  std::map<Pair, double> gpus;                        ///< (node, local rank) -> share
  std::map<int, double> insides;  ///< node -> share of what its ranks reach among themselves
  std::map<Pair, double> ways;    ///< (from, to) -> share of what goes that way
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
        const Pair link = std::minmax(a, b);
        const auto on_rail = rail_links.find({link, rail});
        slowest = std::min({slowest, end(a, rail), share(links, link), share(ways, {a, b}),
                            on_rail == rail_links.end() ? 1 : on_rail->second});
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

inline int rounds_of(const std::vector<ProbeResult>& results) { return results.back().round + 1; }

inline std::vector<std::string> names(const std::vector<Suspect>& suspects) {
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

inline std::vector<Suspect> suspects_in(const Simulated& cluster, const std::vector<ProbeResult>& results) {
  return find_suspects(cluster.ranks, results, Locate{}.rounds).suspects;
}

inline std::vector<std::string> suspects_of(Simulated cluster, const Locate& config = {}) {
  const auto results = cluster.search(config);
  return names(suspects_in(cluster, results));
}

inline std::vector<Trial> trials_of(const Simulated& cluster, const std::vector<ProbeResult>& results) {
  return judge_suspects(cluster.ranks, suspects_in(cluster, results), results);
}

inline std::vector<std::string> with_standing(const std::vector<Trial>& trials, Standing standing) {
  std::vector<Suspect> out;
  for (const Trial& trial : trials) {
    if (trial.standing == standing) out.push_back(trial.suspect);
  }
  return names(out);
}

inline std::vector<std::string> named_of(Simulated cluster, const Locate& config = {}) {
  const auto results = cluster.search(config);
  return with_standing(trials_of(cluster, results), Standing::kConfirmed);
}

}  // namespace sxb::plan
