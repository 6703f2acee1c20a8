#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <numeric>
#include <set>
#include <utility>

#include "base/text.h"
#include "config/cluster/cluster_settings.h"
#include "config/cluster/node_set.h"

namespace sxb::config {
namespace {

constexpr int kMaxGpus = 64;
constexpr int kMaxGpuIndex = 1023;

/// Hosts, users and jump hosts become words of ssh's command line, which may pass them on to a shell
/// (ProxyCommand with %h): a small alphabet, and no leading "-" that ssh would take for a flag.
void check_word(ObjectReader& reader, const char* key, const std::string& word) {
  const bool clean = std::all_of(word.begin(), word.end(), [](unsigned char c) {
    return std::isalnum(c) || std::string_view("._-:@%+,[]").find(static_cast<char>(c)) != std::string::npos;
  });
  if (clean && (word.empty() || word.front() != '-')) return;
  reader.error(key, fmt::format("\"{}\" is not usable as {}", word, key),
               "letters, digits and . _ - : @ % + , [ ] only, and no \"-\" in front");
}

/// A file name that ssh takes as it is: it expands % and ${ itself.
void check_key_path(ObjectReader& reader, const std::string& path) {
  const bool control =
      std::any_of(path.begin(), path.end(), [](unsigned char c) { return c < ' ' || c == '"'; });
  if (!control && path.find('%') == std::string::npos && path.find("${") == std::string::npos) return;
  reader.error("ssh_key", fmt::format("\"{}\" is not usable as a key file", path),
               "give a path without %, ${, quotes and control characters, which ssh reads in its own way");
}

/// A count (4 = GPUs 0 to 3) or a list of indices.
void read_gpus(ObjectReader& reader, std::vector<int>& gpus) {
  const Json* value = reader.find("gpus");
  if (value == nullptr) return;
  if (!value->is_array()) {
    int count = 0;
    reader.integer("gpus", count, 1, kMaxGpus);
    gpus.resize(static_cast<std::size_t>(count));
    std::iota(gpus.begin(), gpus.end(), 0);
    return;
  }
  for (const Json& entry : *value) {
    const bool valid = entry.is_number_integer() && entry.get<std::int64_t>() >= 0 &&
                       entry.get<std::int64_t>() <= kMaxGpuIndex;
    if (!valid) {
      reader.error("gpus", fmt::format("{} is not a GPU index", describe(entry)),
                   "write e.g. [0, 1], or a count");
    } else if (std::find(gpus.begin(), gpus.end(), entry.get<int>()) != gpus.end()) {
      reader.error("gpus", fmt::format("GPU {} is listed twice", entry.get<int>()), "list each index once");
    } else {
      gpus.push_back(entry.get<int>());
    }
  }
  if (value->empty())
    reader.error("gpus", "the list is empty", "list indices, or leave the key out to use all GPUs");
}

/// An entry of "nodes" while it is read: its name and host may be node sets.
struct NodeEntry : Node {
  const NodeGroups* groups = nullptr;
  std::vector<std::string> names, hosts;  ///< no hosts: each its own name
};

void read_node_names(ObjectReader& reader, NodeEntry& entry) {
  reader.text("name", entry.name, Need::kRequired);
  if (entry.name.empty()) return;
  auto expanded = expand_node_set(entry.name, *entry.groups);
  if (expanded.ok()) {
    entry.names = std::move(expanded).value();
  } else {
    reader.error("name", expanded.error().what, expanded.error().help);
  }
}

/// One host for all names, or a node set of the same size.
void read_node_hosts(ObjectReader& reader, NodeEntry& entry) {
  reader.text("host", entry.host);
  const std::string& host = entry.host;
  if (host.empty()) return;
  if (host.find_first_of("[,") == std::string::npos && host.front() != '@') {
    check_word(reader, "host", host);
    entry.hosts.assign(entry.names.size(), host);
    return;
  }
  auto hosts = expand_node_set(host, *entry.groups);
  if (!hosts.ok()) {
    reader.error("host", hosts.error().what, hosts.error().help);
  } else if (hosts->size() != entry.names.size()) {
    reader.error("host", fmt::format("{} hosts for {} names", hosts->size(), entry.names.size()),
                 "make the two node sets equally long, or write one host for all");
  } else {
    entry.hosts = std::move(hosts).value();
  }
}

Json gpus_schema() {
  const Json list = {
      {"type", "array"}, {"items", integer_schema(0, kMaxGpuIndex)}, {"minItems", 1}, {"uniqueItems", true}};
  return {{"oneOf", Json::array({integer_schema(1, kMaxGpus), list})}};
}

void check_ssh_words(ObjectReader& reader, const NodeEntry& entry) {
  check_word(reader, "ssh_user", entry.ssh_user);
  check_word(reader, "ssh_jump", entry.ssh_jump);
  check_key_path(reader, entry.ssh_key);
}

const Table<NodeEntry>& node_settings() {
  static const Table<NodeEntry> table = [] {
    using N = NodeEntry;
    const auto unsaid = [](const char* otherwise) {
      return Extra{.zero_is_unsaid = true, .otherwise = otherwise};
    };
    Table<N> t;
    t.custom("name", {{"type", "string"}}, "node set, e.g. node[001-008]; the names appear in every record",
             read_node_names, [](const N& node, Json& object) { object["name"] = node.name; },
             {.need = Need::kRequired, .values = "node set"});
    t.custom("host", {{"type", "string"}}, "address for the transport: one, or a node set as long as name",
             read_node_hosts, [](const N& node, Json& object) { object["host"] = node.host; },
             {.otherwise = "name, or localhost if transport is local", .values = "text, node set"});
    t.custom(
        "gpus", gpus_schema(), "GPUs the node owns: a count, or a list of indices",
        [](ObjectReader& reader, N& node) { read_gpus(reader, node.gpus); },
        [](const N& node, Json& object) {
          if (!node.gpus.empty()) object["gpus"] = node.gpus;
        },
        {.otherwise = "all that are found", .values = "1 to 64, list of 0 to 1023"});
    t.integer("slots", &N::slots, {1, 4096}, "ranks on a node without GPUs", unsaid("chosen from the cores"));
    t.integer("ssh_port", &N::ssh_port, {1, 65535}, "port of sshd", unsaid("ssh's own"));
    t.text("ssh_user", &N::ssh_user, "user to log in as", unsaid("ssh's own"));
    t.text("ssh_key", &N::ssh_key, "path of an identity file", unsaid("ssh's own"));
    t.text("ssh_jump", &N::ssh_jump, "jump host", unsaid("ssh's own"));
    t.check(check_ssh_words);
    return t;
  }();
  return table;
}

void read_node_object(ObjectReader reader, const NodeGroups& groups, std::vector<Node>& out) {
  NodeEntry entry;
  entry.groups = &groups;
  node_settings().read(std::move(reader), entry);
  for (std::size_t i = 0; i < entry.names.size(); ++i) {
    Node& node = out.emplace_back(entry);
    node.name = entry.names[i];
    node.host = i < entry.hosts.size() ? entry.hosts[i] : "";
  }
}

void append_named(const std::vector<std::string>& names, std::vector<Node>& out) {
  for (const std::string& name : names) {
    Node node;
    node.name = name;
    out.push_back(node);
  }
}

void read_entries(ObjectReader& cluster, const Json& entries, const NodeGroups& groups,
                  std::vector<Node>& out) {
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (!entries[i].is_string()) {
      read_node_object(cluster.element("nodes", i), groups, out);
    } else if (const auto names = expand_node_set(entries[i].get<std::string>(), groups); names.ok()) {
      append_named(*names, out);
    } else {
      cluster.element_error("nodes", i, names.error().what, names.error().help);
    }
  }
  if (entries.empty()) cluster.error("nodes", "the list is empty", "name at least one node");
}

/// Two nodes of one machine must not share a GPU: both would measure the other's work.
void check_gpu_owners(ObjectReader& cluster, DeviceKind device, const std::vector<Node>& nodes) {
  if (device == DeviceKind::kCpu) return;
  std::map<std::string, const Node*> all_gpus;  // host -> a node that owns all of its GPUs
  std::map<std::string, const Node*> some_gpus;
  std::map<std::pair<std::string, int>, const Node*> owners;
  for (const Node& node : nodes) {
    const Node* rival = nullptr;
    std::string shared = "all GPUs";
    if (const auto it = all_gpus.find(node.host); it != all_gpus.end()) rival = it->second;
    if (node.gpus.empty()) {
      if (const auto it = some_gpus.find(node.host); it != some_gpus.end()) rival = it->second;
      all_gpus.emplace(node.host, &node);
    }
    for (const int gpu : node.gpus) {
      some_gpus.emplace(node.host, &node);
      const auto [it, inserted] = owners.emplace(std::pair(node.host, gpu), &node);
      if (inserted || rival != nullptr) continue;
      rival = it->second;
      shared = fmt::format("GPU {}", gpu);
    }
    if (rival == nullptr) continue;
    cluster.error("nodes",
                  fmt::format("nodes {} and {} both own {} of the machine {}", rival->name, node.name, shared,
                              node.host),
                  "give each node its own \"gpus\" list, or set \"device\": \"cpu\"");
    return;  // one report says it; 8 nodes would give 28
  }
}

void check_names(ObjectReader& cluster, const std::vector<Node>& nodes) {
  std::set<std::string> names;
  for (const Node& node : nodes) {
    if (names.insert(node.name).second) continue;
    cluster.error("nodes", fmt::format("the node {} is named twice", node.name),
                  "give every node its own name");
  }
}

void read_nodes(ObjectReader& cluster, TransportKind transport, DeviceKind device, const NodeGroups& groups,
                std::vector<Node>& out) {
  const Json* nodes = cluster.find("nodes");
  if (nodes == nullptr) {
    cluster.error("nodes", "the key \"nodes\" is missing", "add e.g. \"nodes\": \"node[001-008]\"");
    return;
  }
  const std::size_t errors_before = cluster.error_count();
  if (nodes->is_string()) {
    if (const auto names = expand_node_set(nodes->get<std::string>(), groups); names.ok()) {
      append_named(*names, out);
    } else {
      cluster.error("nodes", names.error().what, names.error().help);
    }
  } else if (nodes->is_array()) {
    read_entries(cluster, *nodes, groups, out);
  } else {
    cluster.error("nodes", fmt::format("expected a node set or an array, found {}", describe(*nodes)),
                  "write e.g. \"node[001-008]\"");
  }
  for (Node& node : out) {
    if (node.host.empty()) node.host = transport == TransportKind::kLocal ? "localhost" : node.name;
  }
  if (cluster.error_count() != errors_before) return;  // the checks below would only repeat it
  check_names(cluster, out);
  check_gpu_owners(cluster, device, out);
}

Json nodes_to_json(const std::vector<Node>& nodes) {
  Json array = Json::array();
  for (const Node& node : nodes) array.push_back(node_settings().write(NodeEntry{node, nullptr, {}, {}}));
  return array;
}

Json nodes_schema() {
  const Json set = {{"type", "string"}, {"minLength", 1}};
  const Json entry = {{"oneOf", Json::array({set, node_settings().schema()})}};
  return {{"oneOf", Json::array({set, {{"type", "array"}, {"minItems", 1}, {"items", entry}}})}};
}

/// Moves the nodes of a node set out of the cluster.
Result<std::vector<Node>> take_nodes(Cluster& cluster, const std::string& set, const char* flag) {
  std::vector<Node> taken;
  if (set.empty()) return taken;
  auto names = expand_node_set(set);
  if (!names.ok()) return Error{names.error().what, flag, names.error().help};
  for (const std::string& name : *names) {
    const auto it = std::find_if(cluster.nodes.begin(), cluster.nodes.end(),
                                 [&](const Node& node) { return node.name == name; });
    if (it == cluster.nodes.end()) {
      std::vector<std::string> known;
      for (const Node& node : cluster.nodes) known.push_back(node.name);
      const std::string guess = did_you_mean(name, known);
      return Error{fmt::format("the cluster {} has no node \"{}\" left to take", cluster.name, name), flag,
                   guess.empty() ? "its nodes are " + fold_node_set(known)
                                 : fmt::format("did you mean \"{}\"?", guess)};
    }
    taken.push_back(*it);
    cluster.nodes.erase(it);
  }
  return taken;
}

}  // namespace

void describe_nodes(Table<Cluster>& table) {
  table.custom(
      "nodes", nodes_schema(), "a node set such as \"node[001-008,012]\", or a list of node sets and objects",
      [](ObjectReader& reader, Cluster& cluster) {
        read_groups(reader.child("groups"), cluster.groups);
        read_nodes(reader, cluster.transport, cluster.device, cluster.groups, cluster.nodes);
      },
      [](const Cluster& cluster, Json& object) { object["nodes"] = nodes_to_json(cluster.nodes); },
      {.need = Need::kRequired, .values = "node set, list"});
  table.describe_entries("nodes", node_settings());
}

Result<std::vector<Node>> set_aside_nodes(Cluster& cluster, const std::string& exclude,
                                          const std::string& spares) {
  // The spares first: a broken spare may be excluded without a change of --spares.
  SXB_ASSIGN_OR_RETURN(std::vector<Node> kept, take_nodes(cluster, spares, "--spares"));
  Cluster all = cluster;
  all.nodes.insert(all.nodes.end(), kept.begin(), kept.end());
  SXB_ASSIGN_OR_RETURN(const std::vector<Node> gone, take_nodes(all, exclude, "--exclude"));
  const auto is_gone = [&](const Node& node) {
    return std::any_of(gone.begin(), gone.end(), [&](const Node& other) { return other.name == node.name; });
  };
  std::erase_if(cluster.nodes, is_gone);
  std::erase_if(kept, is_gone);
  if (cluster.nodes.empty()) {
    return Error{"no node is left to work on", "--exclude, --spares", "leave at least one node out of both"};
  }
  return kept;
}

}  // namespace sxb::config
