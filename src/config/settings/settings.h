// The layers of one run's settings, flag > environment > file > default, merged with the origin of
// every value.
//
// Environment: SXBENCH_CLUSTER, SXBENCH_MODELS, SXBENCH_NODES, SXBENCH_OUT, SXBENCH_STEPS,
// SXBENCH_MICRO_BATCH, SXBENCH_METRICS_INTERVAL_MS as the flags of the same name; SXBENCH_CACHE and
// SXBENCH_CONFIGS move the folders of base/files.h. Any other setting has --set or a file.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/cluster/cluster.h"
#include "config/model/model.h"

namespace sxb::config {

/// What the command line said; empty = not given.
struct Flags {
  std::string cluster;                              ///< --cluster: path or shipped name
  std::string models;                               ///< --models 7b,13b
  std::string nodes;                                ///< --nodes 2,4,8
  std::string out;                                  ///< --out: results folder
  std::optional<std::int64_t> steps;                ///< --steps
  std::optional<std::int64_t> warmup;               ///< --warmup
  std::optional<std::int64_t> micro_batch;          ///< --micro-batch
  std::optional<std::int64_t> metrics_interval_ms;  ///< --metrics-interval-ms
  std::vector<std::string> set;                     ///< --set key=value; wins over the flags above
  std::string hostfile;                             ///< --hostfile: instead of a cluster config
  std::string transport;                            ///< --transport
  std::string device;                               ///< --device
  std::optional<std::int64_t> fanout;               ///< --fanout
  std::optional<std::int64_t> connect_timeout_s;    ///< --connect-timeout
  std::string exclude;                              ///< --exclude: node set
  std::string spares;                               ///< --spares: node set
};

enum class Layer { kDefault, kFile, kEnvironment, kFlag };
std::string to_string(Layer layer);

/// Where a value comes from.
struct Origin {
  Layer layer = Layer::kDefault;
  std::string from;  ///< "--steps", "SXBENCH_STEPS", a file; empty for a default
};

/// What a run starts from: every layer applied, everything validated.
struct Settings {
  Cluster cluster;  ///< without the nodes of --exclude and --spares
  std::vector<Node> spares;
  std::vector<Model> models;
  std::vector<int> node_counts;
  std::string out;
  std::int64_t metrics_interval_ms = 100;
  /// JSON pointer into to_json(settings) -> origin, for every leaf.
  std::map<std::string, Origin> origins;
};

/// The cluster that the flags mean, their values on top of the file's. `origins` hears of those values by
/// JSON pointer; nullptr = nobody asks.
Result<Cluster> resolve_cluster(const Flags& flags, std::map<std::string, Origin>* origins = nullptr);

/// Merges flags, environment, files and defaults: the models default to "tiny", the node counts to
/// all nodes of the cluster, out to its paths.results. Reports every error of every layer at once.
Result<Settings> merge_settings(const Flags& flags);

/// JSON pointers of all leaves: everything but non-empty objects and arrays. An array of scalars is
/// one leaf, since people write it as one value.
std::vector<std::string> leaf_pointers(const Json& json);

/// {"cluster": ..., "models": {"7b": ...}, "run": {"nodes", "out", "metrics_interval_ms"}}.
Json to_json(const Settings& settings);

}  // namespace sxb::config
