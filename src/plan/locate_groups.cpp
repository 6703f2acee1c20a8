#include "plan/locate_groups.h"

#include <algorithm>
#include <numeric>

#include "stats/stats.h"

namespace sxb::plan {
namespace {

/// A ring below this share of what a pair reaches counts as slow. A large ring loses some to latency; a group
/// that is halved for nothing costs no round, because all groups of a round run at once.
constexpr double kGroupSlow = 0.9;

Probe pair_of(int a, int b) { return {{std::min(a, b), std::max(a, b)}}; }

/// What a pair reaches on each rail: the median over all that were measured.
std::vector<std::optional<double>> normal_pair(const std::vector<ProbeResult>& results) {
  std::vector<std::vector<double>> values;
  for (const ProbeResult& result : results) {
    if (result.nodes.size() != 2 || result.stage == LocateStage::kConfirm) continue;
    values.resize(std::max(values.size(), result.busbw_gBps.size()));
    for (std::size_t rail = 0; rail < result.busbw_gBps.size(); ++rail) {
      if (result.busbw_gBps[rail]) values[rail].push_back(*result.busbw_gBps[rail]);
    }
  }
  std::vector<std::optional<double>> normal;
  for (const auto& rail : values)
    normal.push_back(rail.empty() ? std::nullopt : std::optional(stats::median(rail)));
  return normal;
}

bool is_slow(const ProbeResult& group, const std::vector<std::optional<double>>& normal) {
  if (!group.failure.empty()) return true;
  for (std::size_t rail = 0; rail < group.busbw_gBps.size(); ++rail) {
    if (!group.busbw_gBps[rail] || rail >= normal.size() || !normal[rail]) return true;
    if (*group.busbw_gBps[rail] < kGroupSlow * *normal[rail]) return true;
  }
  return false;
}

bool is_group(const ProbeResult& result) {
  return result.stage == LocateStage::kRail || result.stage == LocateStage::kBisect;
}

/// Both of even size, so that pairs are left in the end. An odd node takes no part: it has its samples.
std::pair<Probe, Probe> halves(const std::vector<int>& nodes) {
  const std::size_t even = nodes.size() / 2 * 2;
  const std::size_t half = even / 4 * 2;
  const auto begin = nodes.begin();
  const auto middle = begin + static_cast<std::ptrdiff_t>(half);
  return {{{begin, middle}}, {{middle, begin + static_cast<std::ptrdiff_t>(even)}}};
}

const ProbeResult* find_group(const std::vector<ProbeResult>& results, const Probe& probe) {
  const auto it = std::find_if(results.begin(), results.end(), [&](const ProbeResult& result) {
    return is_group(result) && result.nodes == probe.nodes;
  });
  return it == results.end() ? nullptr : &*it;
}

bool overlap(const Probe& a, const Probe& b) {
  return std::any_of(a.nodes.begin(), a.nodes.end(), [&](int node) {
    return std::find(b.nodes.begin(), b.nodes.end(), node) != b.nodes.end();
  });
}

/// Each into the first round that has room for it.
void pack(const std::vector<Probe>& wanted, std::vector<std::vector<Probe>>& rounds) {
  std::vector<std::vector<Probe>> packed;
  for (const Probe& probe : wanted) {
    const auto room = std::find_if(packed.begin(), packed.end(), [&](const std::vector<Probe>& round) {
      return std::none_of(round.begin(), round.end(),
                          [&](const Probe& other) { return overlap(probe, other); });
    });
    (room == packed.end() ? packed.emplace_back() : *room).push_back(probe);
  }
  std::move(packed.begin(), packed.end(), std::back_inserter(rounds));
}

/// What tests the suspect once; `turn` chooses the partner.
std::vector<Probe> tests_of(const Suspect& suspect, std::size_t turn, const std::vector<int>& good,
                            std::size_t nodes) {
  const auto partner = [&](std::size_t i) { return good[(turn + i) % good.size()]; };
  switch (suspect.fault) {
    case Fault::kGpu:
    case Fault::kNodeLocal:
      return {{{suspect.node}}};
    case Fault::kRail:
      return {{node_range(0, static_cast<int>(nodes))}};
    case Fault::kNode:
    case Fault::kNodeRail:
      if (good.empty()) return {};
      return {pair_of(suspect.node, partner(0))};
    case Fault::kLink:
      std::vector<Probe> tests = {pair_of(suspect.node, suspect.peer)};
      if (good.empty()) return tests;
      tests.push_back(pair_of(suspect.node, partner(0)));
      tests.push_back(pair_of(suspect.peer, partner(1)));
      return tests;
  }
  return {};
}

}  // namespace

std::vector<int> node_range(int begin, int end) {
  std::vector<int> nodes(static_cast<std::size_t>(end - begin));
  std::iota(nodes.begin(), nodes.end(), begin);
  return nodes;
}

std::vector<std::vector<Probe>> circle_rounds(int nodes) {
  if (nodes < 2) return {};
  // The last of an even number stays in its place, the others go round it; of an odd number it is nobody.
  const int seats = nodes + nodes % 2;
  std::vector<std::vector<Probe>> rounds;
  for (int turn = 0; turn < seats - 1; ++turn) {
    std::vector<Probe> pairs;
    if (nodes == seats) pairs.push_back(pair_of(turn, seats - 1));
    for (int i = 1; i < seats / 2; ++i) {
      pairs.push_back(pair_of((turn + i) % (seats - 1), (turn + seats - 1 - i) % (seats - 1)));
    }
    rounds.push_back(std::move(pairs));
  }
  return rounds;
}

std::vector<Probe> halves_of_slow(const std::vector<ProbeResult>& results) {
  int latest = -1;
  for (const ProbeResult& result : results) {
    if (is_group(result)) latest = result.round;
  }
  const auto normal = normal_pair(results);
  std::vector<Probe> probes;
  for (const ProbeResult& group : results) {
    if (!is_group(group) || group.round != latest || group.nodes.size() < 4 || !is_slow(group, normal))
      continue;
    auto [low, high] = halves(group.nodes);
    probes.push_back(std::move(low));
    probes.push_back(std::move(high));
  }
  return probes;
}

std::vector<Probe> across_halves(const std::vector<ProbeResult>& results, int shift) {
  std::vector<Probe> probes;
  if (shift > 1) return probes;
  const auto normal = normal_pair(results);
  for (const ProbeResult& group : results) {
    if (!is_group(group) || group.nodes.size() < 4 || !is_slow(group, normal)) continue;
    const auto [low, high] = halves(group.nodes);
    const ProbeResult* first = find_group(results, low);
    const ProbeResult* second = find_group(results, high);
    if (first == nullptr || second == nullptr || is_slow(*first, normal) || is_slow(*second, normal))
      continue;
    for (std::size_t i = 0; i < low.nodes.size(); ++i) {
      const std::size_t other = (i + static_cast<std::size_t>(shift)) % high.nodes.size();
      probes.push_back(pair_of(low.nodes[i], high.nodes[other]));
    }
  }
  return probes;
}

std::vector<std::vector<Probe>> confirmations(int repeats, std::size_t nodes,
                                              const std::vector<Suspect>& suspects) {
  const std::vector<int> good = known_good(nodes, suspects);
  std::vector<std::vector<Probe>> rounds;
  for (int repeat = 0; repeat < repeats; ++repeat) {
    std::vector<Probe> wanted;
    for (std::size_t i = 0; i < suspects.size(); ++i) {
      for (Probe& probe : tests_of(suspects[i], i + static_cast<std::size_t>(repeat), good, nodes)) {
        if (std::find(wanted.begin(), wanted.end(), probe) == wanted.end())
          wanted.push_back(std::move(probe));
      }
    }
    pack(wanted, rounds);
  }
  return rounds;
}

}  // namespace sxb::plan
