// Pieces of the cluster reader that live in files of their own.
#pragma once

#include "sxbench/config/cluster.h"
#include "sxbench/config/reader.h"

namespace sxb::config {

/// "nodes": a node set, or an array of node sets and objects. Reports names given twice and GPUs
/// that two nodes of one machine both claim.
void read_nodes(ObjectReader& cluster, TransportKind transport, DeviceKind device, std::vector<Node>& out);
Json nodes_to_json(const std::vector<Node>& nodes);

/// An object whose values are environment variables: any string, names that a shell accepts.
void read_environment(ObjectReader& parent, const char* key, std::map<std::string, std::string>& out);

}  // namespace sxb::config
