// The layers of one run's settings, flag > environment > file > default, merged with the origin of
// every value. Every file is read once. Which flags and variables there are, flags.h says.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "config/cluster/cluster.h"
#include "config/model/model.h"
#include "config/settings/flags.h"

namespace sxb::config {

enum class Layer { kDefault, kFile, kEnvironment, kFlag };
std::string to_string(Layer layer);

/// Where a value comes from.
struct Origin {
  Layer layer = Layer::kDefault;
  std::string from;  ///< "--steps", "SXBENCH_STEPS", a file; empty for a default
};
using Origins = std::map<std::string, Origin>;  ///< by JSON pointer, for every leaf

/// The cluster that the flags mean, with all of its nodes.
struct ResolvedCluster {
  Cluster cluster;
  Origins origins;  ///< of to_json(cluster)
};

/// What a run starts from: every layer applied, everything validated.
struct Resolved {
  Cluster cluster;  ///< without the nodes of --exclude and --spares
  std::vector<Node> spares;
  std::vector<Model> models;
  Run run;
  Origins origins;  ///< of to_json(resolved)
  Errors warnings;  ///< what was taken and may not be what was meant
};

/// Reads the cluster's file, or the hostfile, and puts the flags on top.
Result<ResolvedCluster> resolve_cluster(const CommandLine& flags);

/// Merges flags, environment, files and defaults: the models default to "tiny", the node counts to all
/// nodes of the cluster, out to its paths.results. Reports every error of every layer at once, those of
/// `cluster` first.
Result<Resolved> resolve_settings(const CommandLine& flags, Result<ResolvedCluster> cluster);
Result<Resolved> resolve_settings(const CommandLine& flags);

/// JSON pointers of all leaves: everything but non-empty objects and arrays. An array of scalars is
/// one leaf, since people write it as one value.
std::vector<std::string> leaf_pointers(const Json& json);

/// {"cluster": ..., "models": {"7b": ...}, "run": {"nodes", "out", "metrics_interval_ms"}}.
Json to_json(const Resolved& resolved);

}  // namespace sxb::config
