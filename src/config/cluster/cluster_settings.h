// The table of a cluster file's settings, and the pieces of it that live in files of their own.
#pragma once

#include <map>
#include <string>

#include "config/cluster/cluster.h"
#include "config/table.h"

namespace sxb::config {

/// paths.results where the file does not say.
inline constexpr const char* kDefaultResults = "results";

const Table<Cluster>& cluster_settings();
const Table<Rendezvous>& rendezvous_settings();
const Table<Ssh>& ssh_settings();
const Table<Slurm>& slurm_settings();
const Table<Timeouts>& timeouts_settings();

/// Adds the row "nodes": a node set, or an array of node sets and objects. Its reader reads "groups" first,
/// which node sets use. Reports names given twice and GPUs that two nodes of one machine both claim.
void describe_nodes(Table<Cluster>& table);
/// Adds the row "groups": name -> node set, which may use other groups. Read by the row "nodes".
void describe_groups(Table<Cluster>& table);
void read_groups(ObjectReader reader, NodeGroups& out);

/// An object whose values are environment variables: any string, names that a shell accepts.
void read_environment(ObjectReader& parent, const char* key, std::map<std::string, std::string>& out);

}  // namespace sxb::config
