// Pieces of the cluster reader that live in files of their own.
#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

#include "base/text.h"
#include "config/cluster/cluster.h"
#include "config/reader.h"

namespace sxb::config {

/// The enum value called `text`.
template <typename E, std::size_t N>
Result<E> parse_enum(const EnumName<E> (&names)[N], const std::string& text, const std::string& where) {
  std::vector<std::string> known;
  for (const EnumName<E>& entry : names) {
    if (text == entry.name) return entry.value;
    known.emplace_back(entry.name);
  }
  return Error{fmt::format("unknown value \"{}\"", text), where, suggest(text, known)};
}

/// "groups": name -> node set, which may use other groups.
void read_groups(ObjectReader reader, NodeGroups& out);
Json groups_to_json(const NodeGroups& groups);

void read_ssh(ObjectReader reader, Ssh& ssh);
Json ssh_to_json(const Ssh& ssh);
void read_slurm(ObjectReader reader, Slurm& slurm);
Json slurm_to_json(const Slurm& slurm);
void read_timeouts(ObjectReader reader, Timeouts& timeouts);
void read_rendezvous(ObjectReader reader, Rendezvous& rendezvous);
Json rendezvous_to_json(const Rendezvous& rendezvous);

/// "nodes": a node set, or an array of node sets and objects. Reports names given twice and GPUs
/// that two nodes of one machine both claim.
void read_nodes(ObjectReader& cluster, TransportKind transport, DeviceKind device, const NodeGroups& groups,
                std::vector<Node>& out);
Json nodes_to_json(const std::vector<Node>& nodes);

/// An object whose values are environment variables: any string, names that a shell accepts.
void read_environment(ObjectReader& parent, const char* key, std::map<std::string, std::string>& out);

}  // namespace sxb::config
