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

/// The figures of the pairs on each rail, and the pairs that did not answer.
struct Pairs {
  std::vector<PairMatrix> logs;  ///< by rail
  std::map<Pair, int> failures;
  std::map<Pair, int> tries;
};

Pairs collect_pairs(std::size_t nodes, const std::vector<ProbeResult>& results) {
  std::map<Pair, std::vector<std::vector<double>>> values;  // by rail
  Pairs pairs;
  std::size_t rails = 0;
  for (const ProbeResult& result : results) {
    if (result.nodes.size() != 2 || result.stage == LocateStage::kConfirm) continue;
    const Pair pair(result.nodes[0], result.nodes[1]);
    ++pairs.tries[pair];
    if (!result.failure.empty()) ++pairs.failures[pair];
    auto& by_rail = values[pair];
    by_rail.resize(std::max(by_rail.size(), result.busbw_gBps.size()));
    rails = std::max(rails, by_rail.size());
    for (std::size_t rail = 0; rail < result.busbw_gBps.size(); ++rail) {
      if (result.busbw_gBps[rail]) by_rail[rail].push_back(std::log(*result.busbw_gBps[rail]));
    }
  }
  pairs.logs.assign(rails, PairMatrix(nodes));
  for (const auto& [pair, by_rail] : values) {
    for (std::size_t rail = 0; rail < by_rail.size(); ++rail) {
      if (!by_rail[rail].empty())
        pairs.logs[rail].set(index(pair.first), index(pair.second), stats::median(by_rail[rail]));
    }
  }
  return pairs;
}

/// Nodes most of whose pairs did not answer, and the single pairs that did not.
void add_unreachable(const Pairs& pairs, double normal, std::vector<Suspect>& suspects) {
  std::map<int, int> failed, tried;
  for (const auto& [pair, tries] : pairs.tries) {
    const bool lost = pairs.failures.contains(pair) && pairs.failures.at(pair) == tries;
    for (const int node : {pair.first, pair.second}) {
      ++tried[node];
      failed[node] += lost ? 1 : 0;
    }
  }
  std::set<int> gone;
  for (const auto& [node, count] : failed) {
    if (count > 1 && 2 * count > tried[node]) gone.insert(node);
  }
  for (const int node : gone) suspects.push_back({Fault::kNode, node, -1, -1, 0, normal});
  for (const auto& [pair, count] : pairs.failures) {
    if (count < pairs.tries.at(pair) || gone.contains(pair.first) || gone.contains(pair.second)) continue;
    suspects.push_back({Fault::kLink, pair.first, pair.second, -1, 0, normal});
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

/// One suspect where all rails are low, else one for each.
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
  const Pairs pairs = collect_pairs(ranks.size(), results);
  out.spread.noise = noise_of_pairs(results, false);
  const double noise = out.spread.noise.value_or(0);
  std::map<Pair, Low> low;
  std::vector<double> centres;
  for (std::size_t rail = 0; rail < pairs.logs.size(); ++rail) {
    const Polish fit = stats::median_polish(pairs.logs[rail]);
    if (std::none_of(fit.row.begin(), fit.row.end(), [](const auto& effect) { return effect.has_value(); }))
      continue;
    centres.push_back(fit.centre);
    find_low_rows(fit, static_cast<int>(rail), noise_of_rows(pairs.logs[rail], noise), low, out.spread);
    find_low_cells(fit, static_cast<int>(rail), noise, low, out.spread);
  }
  if (!centres.empty()) out.spread.pair_gBps = std::exp(stats::median(centres));
  add_unreachable(pairs, out.spread.pair_gBps.value_or(0), out.suspects);
  for (const std::size_t rail : stats::low_outliers(centres)) {
    out.suspects.push_back({Fault::kRail, -1, -1, static_cast<int>(rail),
                            std::exp(centres[rail] - stats::median(centres)), *out.spread.pair_gBps});
  }
  for (const auto& [place, entry] : low) {
    const int other = place.second >= 0 ? ranks[index(place.second)] : ranks[index(place.first)];
    add_low(place, entry, std::min(ranks[index(place.first)], other), out.suspects);
  }
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
