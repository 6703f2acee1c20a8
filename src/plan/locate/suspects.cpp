// From the figures of a search to what may be at fault.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "plan/locate/locate.h"
#include "plan/locate/trial_groups.h"
#include "stats/polish.h"
#include "stats/stats.h"

namespace sxb::plan {
namespace {

using stats::PairMatrix;
using stats::Polish;
using Pair = std::pair<int, int>;

void keep_least(std::optional<double>& kept, double value) { kept = std::min(kept.value_or(value), value); }

/// Of a node's effect, a median over its pairs.
double noise_of_rows(const PairMatrix& cells, double noise) {
  std::vector<double> counts;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    double count = 0;
    for (std::size_t j = 0; j < cells.size(); ++j) count += cells.get(i, j) ? 1 : 0;
    if (count > 0) counts.push_back(count);
  }
  return counts.empty() ? noise : stats::kMedianError * noise / std::sqrt(stats::median(counts));
}

using Places = std::set<Pair>;

/// The figures of the pairs on each rail, and the pairs that never answered there.
struct Pairs {
  std::vector<PairMatrix> logs;      ///< by rail
  std::vector<Places> probed, lost;  ///< by rail
  Places all, lost_altogether;       ///< on any rail; on every rail that they have in common

  /// On how many rails a node, or a pair, has figures.
  int rails_of(const Pair& place) const {
    const auto measured = [&](const PairMatrix& rail) {
      if (place.second >= 0) return rail.get(index(place.first), index(place.second)).has_value();
      for (std::size_t i = 0; i < rail.size(); ++i)
        if (rail.get(index(place.first), i)) return true;
      return false;
    };
    return static_cast<int>(std::count_if(logs.begin(), logs.end(), measured));
  }
};

Pairs collect_pairs(const std::vector<int>& ranks, const std::vector<ProbeResult>& results) {
  struct Rail {
    std::vector<double> logs;
    bool failed = false;
  };
  std::map<Pair, std::vector<Rail>> values;
  std::size_t rails = 0;
  for (const ProbeResult& result : results) {
    if (result.nodes.size() != 2 || result.stage == LocateStage::kConfirm) continue;
    const Pair pair(result.nodes[0], result.nodes[1]);
    auto& by_rail = values[pair];
    const int shared = std::max(1, std::min(ranks[index(pair.first)], ranks[index(pair.second)]));
    by_rail.resize(std::max({by_rail.size(), result.busbw_gBps.size(), index(shared)}));
    rails = std::max(rails, by_rail.size());
    for (std::size_t rail = 0; rail < by_rail.size(); ++rail) {
      const auto figure = rail < result.busbw_gBps.size() ? result.busbw_gBps[rail] : std::nullopt;
      if (figure) by_rail[rail].logs.push_back(std::log(*figure));
      if (!figure && !result.failure.empty()) by_rail[rail].failed = true;
    }
  }
  Pairs pairs;
  pairs.logs.assign(rails, PairMatrix(ranks.size()));
  pairs.probed.resize(rails);
  pairs.lost.resize(rails);
  for (const auto& [pair, by_rail] : values) {
    pairs.all.insert(pair);
    bool any = false, failed = false;
    for (std::size_t rail = 0; rail < by_rail.size(); ++rail) {
      pairs.probed[rail].insert(pair);
      if (!by_rail[rail].logs.empty()) {
        pairs.logs[rail].set(index(pair.first), index(pair.second), stats::median(by_rail[rail].logs));
      } else if (by_rail[rail].failed) {
        pairs.lost[rail].insert(pair);
      }
      any = any || !by_rail[rail].logs.empty();
      failed = failed || by_rail[rail].failed;
    }
    if (failed && !any) pairs.lost_altogether.insert(pair);
  }
  return pairs;
}

/// With whom each node has a pair.
using Partners = std::map<int, std::set<int>>;
Partners partners_in(const Places& pairs) {
  Partners partners;
  for (const auto& [a, b] : pairs) {
    partners[a].insert(b);
    partners[b].insert(a);
  }
  return partners;
}
void leave_out(int node, Partners& partners) {
  const auto it = partners.find(node);
  if (it == partners.end()) return;
  for (const int partner : it->second) partners[partner].erase(node);
  partners.erase(it);
}

/// The nodes most of whose pairs are lost, two at least. One by one, the one with most first: its pairs say
/// nothing about the others then. Where most nodes answer nobody, all of these.
std::set<int> most_lost(const Places& probed, const Places& lost) {
  Partners tried = partners_in(probed), failed = partners_in(lost);
  std::set<int> silent, candidates, nodes;
  for (const auto& [node, with] : failed) {
    if (with.size() < 2) continue;
    candidates.insert(node);
    if (with.size() == tried[node].size()) silent.insert(node);
  }
  if (2 * silent.size() > tried.size()) return silent;
  for (;;) {
    int worst = -1;
    for (const auto& [node, with] : failed) {
      if (!candidates.contains(node) || 2 * with.size() <= tried[node].size()) continue;
      if (worst < 0 || with.size() > failed[worst].size()) worst = node;
    }
    if (worst < 0) return nodes;
    nodes.insert(worst);
    leave_out(worst, tried);
    leave_out(worst, failed);
  }
}

/// What did not answer: nodes, then a rail of most nodes (a plane) or of some (NICs), then the single pairs.
void add_unreachable(Pairs pairs, double normal, std::vector<Suspect>& suspects) {
  const std::set<int> gone = most_lost(pairs.all, pairs.lost_altogether);
  for (const int node : gone) suspects.push_back({Fault::kNode, node, -1, -1, 0, normal});
  const auto explained = [](const std::set<int>& nodes_at_fault) {
    return [&nodes_at_fault](const Pair& pair) {
      return nodes_at_fault.contains(pair.first) || nodes_at_fault.contains(pair.second);
    };
  };
  for (std::size_t rail = 0; rail < pairs.lost.size(); ++rail) {
    const int number = static_cast<int>(rail);
    std::erase_if(pairs.probed[rail], explained(gone));
    std::erase_if(pairs.lost[rail], explained(gone));
    const std::set<int> ends = most_lost(pairs.probed[rail], pairs.lost[rail]);
    if (pairs.lost.size() > 1 && 2 * ends.size() > partners_in(pairs.probed[rail]).size()) {
      suspects.push_back({Fault::kRail, -1, -1, number, 0, normal});
      pairs.lost[rail].clear();
      continue;
    }
    for (const int node : ends) suspects.push_back({Fault::kNodeRail, node, -1, number, 0, normal});
    std::erase_if(pairs.lost[rail], explained(ends));
  }
  Places cut;
  for (std::size_t rail = 0; rail < pairs.lost.size(); ++rail) {
    for (const Pair& pair : pairs.lost[rail]) {
      const bool whole = pairs.lost_altogether.contains(pair);
      const Suspect link = {Fault::kLink, pair.first, pair.second, whole ? -1 : static_cast<int>(rail), 0,
                            normal};
      if (!whole || cut.insert(pair).second) suspects.push_back(link);
    }
  }
}

/// What is low on which rails: (node, -1) a row, (node, peer) a cell.
struct Low {
  std::vector<int> rails;
  std::vector<double> shares, normals;
};

void find_low_rows(const Polish& fit, int rail, double noise, std::map<Pair, Low>& low, Spread& spread) {
  std::vector<int> nodes;
  std::vector<double> effects;
  for (std::size_t i = 0; i < fit.row.size(); ++i) {
    if (!fit.row[i]) continue;
    nodes.push_back(static_cast<int>(i));
    effects.push_back(*fit.row[i]);
  }
  if (effects.size() < 3) return;
  for (const std::size_t i : stats::low_outliers(effects, noise)) {
    Low& entry = low[{nodes[i], -1}];
    entry.rails.push_back(rail);
    entry.shares.push_back(std::exp(effects[i] - stats::median(effects)));
    entry.normals.push_back(std::exp(fit.centre));
  }
  keep_least(spread.node_share, stats::detectable_share(effects, noise));
}

void find_low_cells(const Polish& fit, int rail, double noise, std::map<Pair, Low>& low, Spread& spread) {
  std::vector<Pair> cells;
  std::vector<double> left;
  for (std::size_t i = 0; i < fit.residual.size(); ++i) {
    for (std::size_t j = i + 1; j < fit.residual.size(); ++j) {
      const auto value = fit.residual.get(i, j);
      if (!value) continue;
      cells.emplace_back(static_cast<int>(i), static_cast<int>(j));
      left.push_back(*value);
    }
  }
  if (left.size() < 3) return;
  for (const std::size_t i : stats::low_outliers(left, noise)) {
    Low& entry = low[cells[i]];
    entry.rails.push_back(rail);
    entry.shares.push_back(std::exp(left[i]));
    entry.normals.push_back(
        std::exp(fit.centre + *fit.row[index(cells[i].first)] + *fit.row[index(cells[i].second)]));
  }
  keep_least(spread.link_share, stats::detectable_share(left, noise));
}

/// One suspect where all `rails` that answered are low, else one for each.
void add_low(const Pair& place, const Low& low, int rails, std::vector<Suspect>& suspects) {
  const bool link = place.second >= 0;
  if (static_cast<int>(low.rails.size()) == rails) {
    suspects.push_back({link ? Fault::kLink : Fault::kNode, place.first, place.second, -1,
                        stats::median(low.shares), stats::median(low.normals)});
    return;
  }
  for (std::size_t i = 0; i < low.rails.size(); ++i) {
    suspects.push_back({link ? Fault::kLink : Fault::kNodeRail, place.first, place.second, low.rails[i],
                        low.shares[i], low.normals[i]});
  }
}

void judge_pairs(const std::vector<int>& ranks, const std::vector<ProbeResult>& results, Suspicion& out) {
  const Pairs pairs = collect_pairs(ranks, results);
  out.spread.noise = noise_of_pairs(results, false);
  const double noise = out.spread.noise.value_or(0);
  std::map<Pair, Low> low;
  std::vector<int> rails;  // those with figures
  std::vector<double> centres;
  for (std::size_t rail = 0; rail < pairs.logs.size(); ++rail) {
    const Polish fit = stats::median_polish(pairs.logs[rail]);
    if (std::none_of(fit.row.begin(), fit.row.end(), [](const auto& effect) { return effect.has_value(); }))
      continue;
    rails.push_back(static_cast<int>(rail));
    centres.push_back(fit.centre);
    find_low_rows(fit, static_cast<int>(rail), noise_of_rows(pairs.logs[rail], noise), low, out.spread);
    find_low_cells(fit, static_cast<int>(rail), noise, low, out.spread);
  }
  if (!centres.empty()) out.spread.pair_gBps = std::exp(stats::median(centres));
  add_unreachable(pairs, out.spread.pair_gBps.value_or(0), out.suspects);
  for (const std::size_t i : stats::low_outliers(centres)) {
    out.suspects.push_back({Fault::kRail, -1, -1, rails[i], std::exp(centres[i] - stats::median(centres)),
                            *out.spread.pair_gBps});
  }
  for (const auto& [place, entry] : low) add_low(place, entry, pairs.rails_of(place), out.suspects);
}

/// GPUs by their matrix product.
void judge_ranks(const std::vector<ProbeResult>& results, Suspicion& out) {
  std::vector<Pair> places;  // node, local rank
  std::vector<double> logs;
  for (const ProbeResult& result : results) {
    if (result.stage != LocateStage::kNode) continue;
    for (std::size_t local = 0; local < result.tflops.size(); ++local) {
      if (!result.tflops[local]) continue;
      places.emplace_back(result.nodes.front(), static_cast<int>(local));
      logs.push_back(std::log(*result.tflops[local]));
    }
  }
  if (logs.size() < 3) return;
  const double median = stats::median(logs);
  for (const std::size_t i : stats::low_outliers(logs)) {
    out.suspects.push_back(
        {Fault::kGpu, places[i].first, -1, places[i].second, std::exp(logs[i] - median), std::exp(median)});
  }
  out.spread.gpu_share = stats::detectable_share(logs);
}

/// What the ranks of a node reach among themselves, against nodes with as many ranks.
void judge_nodes(const std::vector<int>& ranks, const std::vector<ProbeResult>& results, Suspicion& out) {
  std::map<int, std::vector<std::pair<int, double>>> by_size;
  for (const ProbeResult& result : results) {
    if (result.stage != LocateStage::kNode) continue;
    const int node = result.nodes.front();
    if (!result.failure.empty()) out.suspects.push_back({Fault::kNodeLocal, node, -1, -1, 0, 0});
    if (!result.busbw_gBps.empty() && result.busbw_gBps.front())
      by_size[ranks[index(node)]].emplace_back(node, std::log(*result.busbw_gBps.front()));
  }
  for (const auto& [size, nodes] : by_size) {
    std::vector<double> logs;
    for (const auto& entry : nodes) logs.push_back(entry.second);
    const double median = stats::median(logs);
    for (const std::size_t i : stats::low_outliers(logs)) {
      out.suspects.push_back(
          {Fault::kNodeLocal, nodes[i].first, -1, -1, std::exp(logs[i] - median), std::exp(median)});
    }
  }
}

}  // namespace

Suspicion find_suspects(const std::vector<int>& ranks, const std::vector<ProbeResult>& results, int repeats) {
  Suspicion out;
  judge_ranks(results, out);
  judge_nodes(ranks, results, out);
  judge_pairs(ranks, results, out);
  const double confirmed = confirmed_share(out.spread.noise.value_or(0), kLongerTrial * repeats);
  for (std::optional<double>* share : {&out.spread.node_share, &out.spread.link_share})
    if (*share) keep_least(*share, confirmed);
  return out;
}

}  // namespace sxb::plan
