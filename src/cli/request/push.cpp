#include "cli/request/push.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/shell.h"
#include "base/units.h"
#include "cli/request/options.h"
#include "cli/request/request.h"
#include "cli/ui/fold.h"
#include "cli/ui/terminal.h"
#include "launch/os/interrupt.h"
#include "launch/transport/transports.h"

namespace sxb::cli {
namespace {

/// The first nodes of the cluster, as many as the largest count of --nodes.
Status keep_first(config::Cluster& cluster, const std::string& counts) {
  if (counts.empty()) return ok_status();
  SXB_ASSIGN_OR_RETURN(const std::vector<int> list, config::parse_count_list(counts, "--nodes"));
  const auto count = static_cast<std::size_t>(*std::max_element(list.begin(), list.end()));
  if (count > cluster.nodes.size()) {
    return Error{fmt::format("the cluster has {} nodes", cluster.nodes.size()), "--nodes " + counts,
                 fmt::format("give at most {}", cluster.nodes.size())};
  }
  cluster.nodes.resize(count);
  return ok_status();
}

void print_plan(const launch::Distribution& what) {
  const auto name = [&](int i) {
    return i == launch::kHead ? "head" : what.cluster.nodes[static_cast<std::size_t>(i)].name;
  };
  int number = 0;
  for (const auto& round :
       launch::list_rounds(static_cast<int>(what.cluster.nodes.size()), what.cluster.fanout)) {
    print_out("# round {}\n", ++number);
    for (const launch::Transfer& transfer : round) {
      const bool from_head = transfer.source == launch::kHead;
      print_out("{}: {}\n", name(transfer.source),
                shell_line(launch::rsync_argv(
                    what.cluster, what.cluster.nodes[static_cast<std::size_t>(transfer.target)], from_head,
                    from_head ? what.source : what.target, what.target, what.checksum)));
    }
  }
  print_out("# then on every node\n{}\n", shell_line(what.proof));
  print_err("nothing was started\n");
}

std::string sent_text(const std::optional<launch::Sent>& sent) {
  if (!sent) return "unknown";
  if (sent->files == 0) return "nothing: it was there";
  return fmt::format("{} file{}, {}", sent->files, sent->files == 1 ? "" : "s", format_bytes(sent->bytes));
}

void print_outcomes(const std::vector<launch::NodeOutcome>& nodes, const std::string& title,
                    const std::string& proved) {
  std::vector<std::string> names;
  std::vector<Lines> lines;
  for (const launch::NodeOutcome& node : nodes) {
    names.push_back(node.node);
    lines.push_back(
        {{title, node.reason.empty() ? proved : "FAILED: " + node.reason}, {"sent", sent_text(node.sent)}});
  }
  write_out(fold_lines(names, lines));
}

/// One error per reason, with all nodes that have it.
Errors errors_of(const std::vector<launch::NodeOutcome>& nodes) {
  std::vector<std::pair<const launch::NodeOutcome*, std::vector<std::string>>> groups;
  for (const launch::NodeOutcome& node : nodes) {
    if (node.reason.empty()) continue;
    auto it = std::find_if(groups.begin(), groups.end(),
                           [&](const auto& group) { return group.first->reason == node.reason; });
    if (it == groups.end()) it = groups.insert(groups.end(), {&node, {}});
    it->second.push_back(node.node);
  }
  Errors errors;
  for (const auto& [first, names] : groups) {
    errors.push_back({first->reason, config::fold_node_set(names), first->help, ExitCode::kEnvironment});
  }
  return errors;
}

}  // namespace

void add_push_flags(CLI::App& verb, PushFlags& flags) {
  add_cluster_flags(verb, flags.config);
  once(verb.add_option("--nodes", flags.nodes, "only to the first N nodes (default: to all)"));
  add_selector(verb, config::kExcludeFlag, flags.config);
  verb.add_flag("--checksum", flags.checksum,
                "compare the contents of files that are there, not their size and time");
  verb.add_flag("--dry-run", flags.dry_run, "print the commands, start nothing");
}

Result<std::optional<config::Cluster>> nodes_to_push_to(const PushFlags& flags,
                                                        const std::string& slurm_help) {
  SXB_ASSIGN_OR_RETURN(config::ResolvedCluster resolved, config::resolve_cluster(flags.config));
  config::Cluster& cluster = resolved.cluster;
  if (launch::reaches_only_this_machine(cluster)) return std::optional<config::Cluster>();
  if (launch::transport_of(cluster).reach == launch::Reach::kBatchSystem) {
    return Error{"this needs ssh, and the nodes are reached by Slurm", cluster.source + ":/transport",
                 slurm_help};
  }
  SXB_RETURN_IF_ERROR(config::set_aside_nodes(cluster, flags.config.exclude, ""));
  SXB_RETURN_IF_ERROR(keep_first(cluster, flags.nodes));
  return std::optional<config::Cluster>(std::move(cluster));
}

ExitCode push(const launch::Distribution& distribution, const PushFlags& flags, const std::string& title,
              const std::string& proved) {
  if (flags.dry_run) {
    print_plan(distribution);
    return ExitCode::kOk;
  }
  launch::count_interrupts();
  Result<launch::Outcomes> outcomes = [&] {
    Terminal terminal;
    const std::size_t total = distribution.cluster.nodes.size();
    const launch::Progress progress = {
        [&](int done) { terminal.status(fmt::format("{} of {} nodes", done, total)); },
        [&](const std::vector<std::string>& nodes) {
          terminal.say("waiting for " + config::fold_node_set(nodes));
        }};
    return launch::distribute(distribution, progress);
  }();
  if (!outcomes.ok()) {
    write_err(format_errors(outcomes.errors()));
    return outcomes.error().code;
  }
  print_outcomes(outcomes->nodes, title, proved);
  const Errors errors = errors_of(outcomes->nodes);
  write_err(format_errors(errors));
  if (outcomes->interrupted) return ExitCode::kInterrupted;
  return errors.empty() ? ExitCode::kOk : ExitCode::kEnvironment;
}

}  // namespace sxb::cli
