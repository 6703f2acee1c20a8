#include "launch/head/roster.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/cluster/node_set.h"
#include "launch/transport/transports.h"

namespace sxb::launch {

Roster::Roster(RunOptions& options)
    : options_(options), next_spare_(options.placement.nodes.size() - options.spares.size()) {
  for (const NodePlacement& node : nodes()) planned_ranks_.push_back(node.ranks);
}

Roster::Changes Roster::after(const TaskOutcome& outcome) {
  Changes changes;
  std::vector<std::string> failed = outcome.absent_nodes;
  if (failed.empty() && outcome.node_fault) failed = {outcome.failed_node};
  for (const std::string& name : failed) {
    if (const std::string spare = replace(name); !spare.empty()) {
      changes.replaced.emplace_back(name, spare);
    } else if (!outcome.absent_nodes.empty() && leave_out(name)) {
      changes.left_out.push_back(name);
    }
  }
  return changes;
}

/// Puts the next spare into the place of `name`, which leaves; the spare's name, "" if none is left.
std::string Roster::replace(const std::string& name) {
  const auto failed = std::find_if(nodes().begin(), nodes().end(),
                                   [&](const NodePlacement& node) { return node.node.name == name; });
  if (failed == nodes().end() || next_spare_ >= nodes().size()) return "";
  if (failed == nodes().begin()) forget_first_host();
  *failed = nodes()[next_spare_];
  nodes().erase(nodes().begin() + static_cast<std::ptrdiff_t>(next_spare_));
  return failed->node.name;
}

/// A batch system hands out its own nodes, and this machine is always there.
bool Roster::leave_out(const std::string& name) {
  if (transport_of(options_.cluster).reach != Reach::kLogins) return false;
  const auto absent = std::find_if(nodes().begin(), nodes().end(),
                                   [&](const NodePlacement& node) { return node.node.name == name; });
  if (absent == nodes().end()) return false;
  if (absent == nodes().begin()) forget_first_host();
  nodes().erase(absent);
  --next_spare_;
  left_out_.push_back(name);
  return true;
}

/// An address that the config gives for node 0 is that of the node that leaves.
void Roster::forget_first_host() const { options_.cluster.rendezvous.host.clear(); }

bool Roster::fits(const plan::Task& task) const {
  const auto wanted = static_cast<std::size_t>(task.nodes);
  if (left_out_.empty()) return true;
  if (wanted > next_spare_) return false;
  for (std::size_t i = 0; i < wanted; ++i) {
    if (nodes()[i].ranks != planned_ranks_[i]) return false;
  }
  return true;
}

TaskOutcome Roster::too_few_for(const plan::Task& task) const {
  TaskOutcome outcome;
  outcome.status = "failed";
  outcome.reason = fmt::format(
      "it needs {} nodes as they were planned, and {} {} left: {} {} not there before, and {} not "
      "tried again",
      task.nodes, next_spare_, next_spare_ == 1 ? "is" : "are", config::fold_node_set(left_out_),
      left_out_.size() == 1 ? "was" : "were", left_out_.size() == 1 ? "is" : "are");
  outcome.failed_node = left_out_.front();
  outcome.code = ExitCode::kEnvironment;
  return outcome;
}

void Roster::go_on(const std::vector<std::vector<std::string>>& starts) {
  for (const std::vector<std::string>& names : starts) {
    for (std::size_t i = 0; i < names.size() && i < next_spare_; ++i) {
      if (nodes()[i].node.name == names[i]) continue;
      const auto spares = nodes().begin() + static_cast<std::ptrdiff_t>(next_spare_);
      const auto spare = std::find_if(spares, nodes().end(),
                                      [&](const NodePlacement& node) { return node.node.name == names[i]; });
      if (spare == nodes().end()) continue;  // moved for another reason: a node was left out, or --exclude
      if (i == 0) forget_first_host();
      std::iter_swap(nodes().begin() + static_cast<std::ptrdiff_t>(i), spare);
      nodes().erase(spare);  // the one that it replaced
    }
  }
}

}  // namespace sxb::launch
