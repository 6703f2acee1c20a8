#include "cli/ui/cluster_line.h"

#include <fmt/format.h>

#include <algorithm>

namespace sxb::cli {
namespace {

std::string origin_of(const std::string& source) {
  if (source == "builtin") return "this machine, by default";
  if (source == "slurm") return "the nodes of this Slurm job";
  // A resumed run has it from its journal: FILE:/cluster.
  if (source.ends_with("records.jsonl:/cluster")) return "as the run was begun";
  return source;
}

std::string counted(int number, const char* what) {
  return fmt::format("{} {}{}", number, what, number == 1 ? "" : "s");
}

}  // namespace

ClusterFacts cluster_facts(const launch::RunOptions& options) {
  ClusterFacts facts;
  facts.name = options.cluster.name;
  facts.from = origin_of(options.cluster.source);
  facts.cuda = options.placement.facts.cuda;
  facts.spares = static_cast<int>(options.spares.size());
  const auto& nodes = options.placement.nodes;
  facts.all_nodes = static_cast<int>(nodes.size()) - facts.spares;
  for (const plan::Task& task : options.tasks) facts.nodes = std::max(facts.nodes, task.nodes);
  facts.nodes = std::min(facts.nodes, static_cast<int>(nodes.size()));
  for (int i = 0; i < facts.nodes; ++i) {
    const int ranks = nodes[static_cast<std::size_t>(i)].ranks;
    facts.ranks += ranks;
    facts.even = facts.even && ranks == nodes.front().ranks;
  }
  return facts;
}

std::string cluster_line(const ClusterFacts& facts) {
  std::string line = fmt::format("cluster {} ({}): ", facts.name, facts.from);
  if (facts.nodes < facts.all_nodes) line += fmt::format("{} of ", facts.nodes);
  line += counted(std::max(facts.nodes, facts.all_nodes), "node");
  const char* what = facts.cuda ? "GPU" : "CPU rank";
  if (facts.nodes > 0 && facts.even) {
    line += " x " + counted(facts.ranks / facts.nodes, what);
  } else {
    line += ", " + counted(facts.ranks, what);
  }
  if (facts.spares > 0) line += ", " + counted(facts.spares, "spare");
  return line;
}

}  // namespace sxb::cli
