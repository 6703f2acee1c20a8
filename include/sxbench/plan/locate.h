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

#include "sxbench/base/json.h"
#include "sxbench/base/result.h"
#include "sxbench/config/reader.h"

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
  kBisect,  ///< of many nodes: slow groups, halved
  kCross,   ///< of many nodes: pairs across the halves of a slow group whose halves are fast
  kConfirm  ///< suspects again, with partners above suspicion
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
  std::string failure;                        ///< why there is no figure; empty if there is
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
  int node = -1;           ///< kRail: none
  int peer = -1;           ///< kLink: the other node, the higher of the two
  int rail = -1;           ///< kGpu: the local rank; kNodeRail, kRail; kLink: -1 = all rails
  double share = 0;        ///< of what is normal; 0 = it did not answer
  double normal = 0;       ///< GB/s of a pair, of a node's ranks; TFLOP/s
};

/// How much the figures that should be equal differ, and what a pair normally reaches.
struct Spread {
  std::optional<double> pair_gBps;     ///< on the median rail
  std::optional<double> node_share;    ///< a node below this share of normal would have been suspect
  std::optional<double> link_share;
  std::optional<double> gpu_share;
};

struct Suspicion {
  std::vector<Suspect> suspects;
  Spread spread;
};
/// From the stages before kConfirm. Pairs by median polish of the logarithms, rail by rail, and the outlier
/// rule of stats/polish.h.
Suspicion find_suspects(const std::vector<int>& ranks, const std::vector<ProbeResult>& results);

/// Nodes that no suspicion touches: partners for a test.
std::vector<int> known_good(std::size_t nodes, const std::vector<Suspect>& suspects);

}  // namespace sxb::plan
