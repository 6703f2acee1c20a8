// What the verbs that put folders on nodes share: sxbench deploy and sxbench data push.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "config/settings/settings.h"
#include "launch/push/distribute.h"

namespace sxb::cli {

struct PushFlags {
  config::CommandLine config;
  bool dry_run = false;
  std::string nodes;  ///< how many of the first; empty = all
  bool checksum = false;
};

/// Those of add_cluster_flags() and --nodes --exclude --checksum --dry-run.
void add_push_flags(CLI::App& verb, PushFlags& flags);

/// The nodes to reach by ssh. None: every node is this machine. Errors: those of the cluster, a transport
/// that is not ssh's; `slurm_help` is what to do under Slurm.
Result<std::optional<config::Cluster>> nodes_to_push_to(const PushFlags& flags,
                                                        const std::string& slurm_help);

/// Pushes, or prints what would be done, and shows what came of it, folded; `proved` is what a node that
/// has it proved, e.g. its build.
ExitCode push(const launch::Distribution& distribution, const PushFlags& flags, const std::string& title,
              const std::string& proved);

}  // namespace sxb::cli
