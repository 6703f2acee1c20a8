// On which machines a run works, and who said so.
#pragma once

#include <string>

#include "launch/head/run_options.h"

namespace sxb::cli {

struct ClusterFacts {
  std::string name;
  std::string from;   ///< "./cluster.json", "this machine, by default"
  int nodes = 0;      ///< of its first ones, the most that a task takes
  int all_nodes = 0;  ///< without spares
  int spares = 0;
  int ranks = 0;  ///< on `nodes`
  bool even = true;
  bool cuda = false;
};
ClusterFacts cluster_facts(const launch::RunOptions& options);

/// "cluster pod1 (./cluster.json): 4 of 7 nodes x 8 GPUs, 1 spare".
std::string cluster_line(const ClusterFacts& facts);

}  // namespace sxb::cli
