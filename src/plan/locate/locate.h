// Which groups of nodes `sxbench locate` probes, round by round, and what the figures make suspect. Pure: the
// next round follows from the results so far, so one launch does the whole search.
//
// A probe of several nodes makes one ring per rail (the ranks of equal local rank, which share a switch plane
// where NICs are rail-aligned), all at once; each ring has a figure of its own. A probe of one node takes the
// node's ranks together, and times a matrix product on each.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "config/reader.h"

namespace sxb::plan {

/// What `sxbench locate` is asked for; part of a task's JSON.
struct Locate {
  std::int64_t size_bytes = 128LL << 20;  ///< of each all-reduce
  int rounds = 3;                         ///< how often a suspect is tested again
  int all_pairs = 32;                     ///< up to so many nodes every pair is probed, above it is bisected
  double probe_s = 2;                     ///< a probe repeats until its median settles, no longer than this
  double timeout_s = 30;                  ///< a probe without an answer has failed after this
};
Json to_json(const Locate& locate);
void read_locate(config::ObjectReader reader, Locate& locate);
Status validate_locate(const Locate& locate);

enum class LocateStage {
  kNode,    ///< each node by itself
  kRail,    ///< all nodes in one ring per rail
  kPair,    ///< every pair once, by the circle method: as many pairs at once as there are
  kSample,  ///< of many nodes: some rounds of the circle method
  kRepeat,  ///< some of these pairs once more: how much a figure varies by itself
  kBisect,  ///< of many nodes: slow groups, halved
  kCross,   ///< of many nodes: pairs across the halves of a slow group whose halves are fast
  kConfirm  ///< suspects again with partners above suspicion, and pairs of such partners beside them
};
std::string to_string(LocateStage stage);
Result<LocateStage> parse_locate_stage(const std::string& name);

/// Nodes by their place in the task, ascending.
struct Probe {
  std::vector<int> nodes;
  friend bool operator==(const Probe&, const Probe&) = default;
};
/// Probes that run at once; no node is in two.
struct ProbeRound {
  LocateStage stage = LocateStage::kNode;
  int number = 0;  ///< from 0, over all stages
  std::vector<Probe> probes;
};

struct ProbeResult {
  LocateStage stage = LocateStage::kNode;
  int round = 0;
  std::vector<int> nodes;
  /// GB/s by rail; of a single node one figure, that of all its ranks. Absent where nothing was transferred
  /// (a node of one rank) or the probe failed.
  std::vector<std::optional<double>> busbw_gBps;
  std::vector<std::optional<double>> tflops;  ///< of a single node, by local rank
  std::string failure;  ///< why a rail has no figure; empty if all have one, or nothing was to be transferred
};

/// `ranks`: of each node. The round after those whose results are given; no probes: the search has ended.
ProbeRound next_round(const Locate& config, const std::vector<int>& ranks,
                      const std::vector<ProbeResult>& results);

enum class Fault {
  kGpu,        ///< one rank's matrix product
  kNodeLocal,  ///< the ranks of one node among themselves: NVLink, PCIe, shared memory
  kNode,       ///< all rails of a node
  kNodeRail,   ///< one rail of a node: its NIC or cable
  kLink,       ///< one pair, the rest of both nodes is well
  kRail        ///< one rail of all nodes: a switch plane
};

struct Suspect {
  Fault fault = Fault::kNode;
  int node = -1;      ///< kRail: none
  int peer = -1;      ///< kLink: the other node, the higher of the two
  int rail = -1;      ///< kGpu: the local rank; kNodeRail, kRail; kLink: -1 = all rails
  double share = 0;   ///< of what is normal; 0 = it did not answer
  double normal = 0;  ///< GB/s of a pair, of a node's ranks; TFLOP/s
};

/// How much the figures that should be equal differ, and what a pair normally reaches.
struct Spread {
  std::optional<double> pair_gBps;  ///< on the median rail
  /// Standard deviation of the logarithm of a pair's figure from probe to probe: 0.1 is about 10 %.
  std::optional<double> noise;
  std::optional<double> node_share;  ///< a node below this share of normal would have been named; <= 0: none
  std::optional<double> link_share;
  std::optional<double> gpu_share;
};

struct Suspicion {
  std::vector<Suspect> suspects;
  Spread spread;
};
/// From the stages before kConfirm. Pairs by median polish of the logarithms, rail by rail, and the outlier
/// rule of stats/polish.h, with the noise between repeats as its least spread. `repeats`: Locate::rounds.
Suspicion find_suspects(const std::vector<int>& ranks, const std::vector<ProbeResult>& results, int repeats);

enum class Standing {
  kConfirmed,     ///< slower than the others in the tests, by more than their noise explains
  kInconclusive,  ///< slower in the tests, but they vary so much that it may be noise
  kNotRepeated,   ///< as fast as the others in the tests: it was slow once
  kUntested       ///< nothing above suspicion was left to compare with, or the search ended before
};

/// A suspect's tests and what parts above suspicion reached in the same rounds.
struct Trial {
  Suspect suspect;  ///< a link of which one end is slow with others too has become that end
  Standing standing = Standing::kUntested;
  std::vector<double> values;  ///< GB/s, of kGpu TFLOP/s; 0 = no answer
  std::vector<int> partners;   ///< of a node: with whom, by value
  std::vector<double> others;
  double share = 0;         ///< median of the values / of the others; without tests that of the suspect
  double named_below = 0;   ///< the share under which these tests would have named it
  std::vector<Trial> ends;  ///< of a link: each end with others
};
/// Confirmed: the medians of the logarithms are apart by 5 % at least, and by 3.5 standard errors of their
/// difference, the standard deviation being the larger of that of the tests and that of all repeated pairs.
std::vector<Trial> judge_suspects(const std::vector<int>& ranks, const std::vector<Suspect>& suspects,
                                  const std::vector<ProbeResult>& results);

}  // namespace sxb::plan
