// How the nodes of a search are grouped; the parts of next_round().
#pragma once

#include <vector>

#include "sxbench/plan/locate.h"

namespace sxb::plan {

/// begin, begin + 1, ..., end - 1.
std::vector<int> node_range(int begin, int end);

/// The circle method of round-robin tournaments: every pair once, in nodes - 1 rounds of nodes / 2 pairs; of
/// an odd number of nodes one rests in each of `nodes` rounds.
std::vector<std::vector<Probe>> circle_rounds(int nodes);

/// The halves of every slow group of more than two nodes in the latest round of groups: none if that was the
/// last.
std::vector<Probe> halves_of_slow(const std::vector<ProbeResult>& results);

/// Pairs across the halves of slow groups of which both halves are fast: what is slow lies between them.
/// `shift` 0 pairs the i-th of the one with the i-th of the other, 1 with the one after it; from 2 on none.
std::vector<Probe> across_halves(const std::vector<ProbeResult>& results, int shift);

/// Rounds that test each suspect again `repeats` times: nodes with partners above suspicion, a link itself
/// and both of its ends with such partners.
std::vector<std::vector<Probe>> confirmations(int repeats, std::size_t nodes,
                                              const std::vector<Suspect>& suspects);

}  // namespace sxb::plan
