#include "plan/locate/trial_groups.h"

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

/// The partners that a node may be tested with, best first come: no suspicion touches them, or where there is
/// no such node, none but that of a link to a third.
std::vector<int> partners_of(int node, std::size_t nodes, const Suspected& suspected) {
  std::vector<int> good, fair;
  for (const int other : node_range(0, static_cast<int>(nodes))) {
    if (other == node || suspected.is_node(other) || suspected.is_link(node, other)) continue;
    (suspected.ends_link(other) ? fair : good).push_back(other);
  }
  return good.empty() ? fair : good;
}

/// The pairs that test the suspect once; `turn` chooses the partners.
std::vector<Probe> pairs_of(const Suspect& suspect, std::size_t turn, std::size_t nodes,
                            const Suspected& suspected) {
  std::vector<Probe> pairs;
  const auto add = [&](int node, std::size_t shift) {
    const std::vector<int> partners = partners_of(node, nodes, suspected);
    if (!partners.empty()) pairs.push_back(pair_of(node, partners[(turn + shift) % partners.size()]));
  };
  if (suspect.fault == Fault::kNode || suspect.fault == Fault::kNodeRail) add(suspect.node, 0);
  if (suspect.fault == Fault::kLink) {
    pairs.push_back(pair_of(suspect.node, suspect.peer));
    add(suspect.node, 0);
    add(suspect.peer, 1);
  }
  return pairs;
}

/// Pairs above suspicion of the nodes that the round leaves idle, beginning at `first`: what the tests are
/// held against, and the load under which the suspects were found.
void add_references(int first, std::size_t nodes, const Suspected& suspected, std::vector<Probe>& round) {
  std::vector<int> idle;
  for (std::size_t i = 0; i < nodes; ++i) {
    const Probe node{{static_cast<int>((static_cast<std::size_t>(first) + i) % nodes)}};
    const bool busy =
        std::any_of(round.begin(), round.end(), [&](const Probe& other) { return overlap(node, other); });
    if (!busy) idle.push_back(node.nodes.front());
  }
  while (!idle.empty()) {
    const int node = idle.front();
    idle.erase(idle.begin());
    const auto other =
        std::find_if(idle.begin(), idle.end(), [&](int i) { return suspected.clears(node, i); });
    if (other == idle.end()) continue;
    round.push_back(pair_of(node, *other));
    idle.erase(other);
  }
}

bool any_of(const std::vector<Suspect>& suspects, std::initializer_list<Fault> faults) {
  return std::any_of(suspects.begin(), suspects.end(), [&](const Suspect& suspect) {
    return std::find(faults.begin(), faults.end(), suspect.fault) != faults.end();
  });
}

/// One repeat of the pairs, packed into rounds; the last of them has only pairs to compare with, if there was
/// no room for one beside the tests.
std::vector<std::vector<Probe>> pair_tests(int repeat, std::size_t nodes,
                                           const std::vector<Suspect>& suspects, const Suspected& suspected) {
  std::vector<Probe> wanted;
  for (std::size_t i = 0; i < suspects.size(); ++i) {
    for (Probe& probe : pairs_of(suspects[i], i + static_cast<std::size_t>(repeat), nodes, suspected)) {
      if (std::find(wanted.begin(), wanted.end(), probe) == wanted.end()) wanted.push_back(std::move(probe));
    }
  }
  std::vector<std::vector<Probe>> rounds;
  if (wanted.empty()) return rounds;
  pack(wanted, rounds);
  bool compared = false;
  for (std::vector<Probe>& round : rounds) {
    add_references(repeat, nodes, suspected, round);
    compared = compared || std::any_of(round.begin(), round.end(), [&](const Probe& probe) {
                 return suspected.clears(probe.nodes[0], probe.nodes[1]);
               });
  }
  if (!compared) {
    std::vector<Probe> round;
    add_references(repeat, nodes, suspected, round);
    if (!round.empty()) rounds.push_back(std::move(round));
  }
  return rounds;
}

}  // namespace

std::vector<int> node_range(int begin, int end) {
  std::vector<int> nodes(static_cast<std::size_t>(end - begin));
  std::iota(nodes.begin(), nodes.end(), begin);
  return nodes;
}

std::vector<Probe> each_alone(int nodes) {
  std::vector<Probe> probes;
  for (int node = 0; node < nodes; ++node) probes.push_back({{node}});
  return probes;
}

int circle_rounds(int nodes) { return nodes < 2 ? 0 : nodes + nodes % 2 - 1; }

std::vector<Probe> circle_round(int nodes, int turn) {
  // The last of an even number stays in its place, the others go round it; of an odd number it is nobody.
  const int turns = circle_rounds(nodes);
  std::vector<Probe> pairs;
  if (nodes % 2 == 0) pairs.push_back(pair_of(turn, turns));
  for (int i = 1; i <= turns / 2; ++i)
    pairs.push_back(pair_of((turn + i) % turns, (turn + turns - i) % turns));
  return pairs;
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

std::vector<Probe> across_halves(const std::vector<ProbeResult>& results, int turn) {
  std::vector<Probe> probes;
  const auto normal = normal_pair(results);
  for (const ProbeResult& group : results) {
    if (!is_group(group) || group.nodes.size() < 4 || !is_slow(group, normal)) continue;
    const auto [low, high] = halves(group.nodes);
    const ProbeResult* first = find_group(results, low);
    const ProbeResult* second = find_group(results, high);
    if (first == nullptr || second == nullptr || is_slow(*first, normal) || is_slow(*second, normal))
      continue;
    if (turn == 0) {
      probes.push_back(pair_of(low.nodes.back(), high.nodes.front()));
      probes.push_back(pair_of(low.nodes.front(), group.nodes.back()));
    }
    // The odd node, which is in neither half, has a second neighbour.
    if (turn == 1 && group.nodes.size() % 2 == 1)
      probes.push_back(pair_of(high.nodes.back(), group.nodes.back()));
  }
  return probes;
}

Suspected::Suspected(const std::vector<Suspect>& suspects) {
  for (const Suspect& suspect : suspects) {
    if (suspect.fault == Fault::kLink) {
      links_.insert(std::minmax(suspect.node, suspect.peer));
    } else if (suspect.node >= 0) {
      nodes_.insert(suspect.node);
    }
  }
}

bool Suspected::ends_link(int node) const {
  return std::any_of(links_.begin(), links_.end(),
                     [&](const auto& link) { return link.first == node || link.second == node; });
}

std::vector<std::vector<Probe>> confirmations(int repeats, std::size_t nodes,
                                              const std::vector<Suspect>& suspects) {
  const Suspected suspected(suspects);
  std::vector<std::vector<Probe>> rounds;
  for (int repeat = 0; repeat < repeats; ++repeat) {
    // Alone means that all are: beside a working network a node has less memory bandwidth.
    if (any_of(suspects, {Fault::kGpu, Fault::kNodeLocal}))
      rounds.push_back(each_alone(static_cast<int>(nodes)));
    if (any_of(suspects, {Fault::kRail})) rounds.push_back({{node_range(0, static_cast<int>(nodes))}});
    for (std::vector<Probe>& round : pair_tests(repeat, nodes, suspects, suspected))
      rounds.push_back(std::move(round));
  }
  return rounds;
}

}  // namespace sxb::plan
