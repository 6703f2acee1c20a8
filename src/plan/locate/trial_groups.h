// How the nodes of a search are grouped; the parts of next_round().
#pragma once

#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "plan/locate/locate.h"

namespace sxb::plan {

/// begin, begin + 1, ..., end - 1.
std::vector<int> node_range(int begin, int end);
/// A probe for each node.
std::vector<Probe> each_alone(int nodes);

/// The circle method of round-robin tournaments: every pair once, in nodes - 1 rounds of nodes / 2 pairs; of
/// an odd number of nodes one rests in each of `nodes` rounds.
int circle_rounds(int nodes);
/// The pairs of one round, from 0.
std::vector<Probe> circle_round(int nodes, int turn);

/// The halves of every slow group of more than two nodes in the latest round of groups: none if that was the
/// last.
std::vector<Probe> halves_of_slow(const std::vector<ProbeResult>& results);

/// Pairs across the halves of slow groups of which both halves are fast: the steps of the group's ring that
/// the rings of its halves lack. `turn` 0 and 1, because no node can be in two pairs at once; from 2 on none.
std::vector<Probe> across_halves(const std::vector<ProbeResult>& results, int turn);

/// Who is under suspicion, and who may stand beside them in a test.
class Suspected {
 public:
  explicit Suspected(const std::vector<Suspect>& suspects);
  /// Neither end is suspect in itself, nor is the link between them.
  bool clears(int a, int b) const { return !is_node(a) && !is_node(b) && !is_link(a, b); }
  bool is_node(int node) const { return nodes_.contains(node); }  ///< or something in it
  bool is_link(int a, int b) const { return links_.contains(std::minmax(a, b)); }
  bool ends_link(int node) const;

 private:
  std::set<int> nodes_;
  std::set<std::pair<int, int>> links_;
};

inline std::size_t index(int i) { return static_cast<std::size_t>(i); }

/// Rounds that test each suspect again `repeats` times: nodes with partners above suspicion, a link itself
/// and both of its ends with such partners; nodes that would be idle make pairs to compare with. The rounds
/// of fewer repeats are the first of those of more.
std::vector<std::vector<Probe>> confirmations(int repeats, std::size_t nodes,
                                              const std::vector<Suspect>& suspects);

/// Standard deviation of the logarithm of a pair's figure on one rail from probe to probe, pooled over all
/// that were probed more than once. `tests`: those of kConfirm too.
std::optional<double> noise_of_pairs(const std::vector<ProbeResult>& results, bool tests);

/// The share of normal below which so many tests, beside as many others, name a suspect in 19 of 20 cases.
double confirmed_share(double noise, int tests);

/// A suspect whose tests do not tell is tested so many times as often.
inline constexpr int kLongerTrial = 3;

}  // namespace sxb::plan
