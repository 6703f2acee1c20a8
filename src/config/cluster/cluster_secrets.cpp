// What a run folder does not keep of a cluster, and how a resumed run gets it back; who may read the rest.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <tuple>

#include "base/folder.h"
#include "base/redact.h"
#include "base/text.h"
#include "config/cluster/cluster.h"

namespace sxb::config {
namespace {

using Environment = std::map<std::string, std::string>;

constexpr unsigned kDefaultFileMode = 0640;

void add_lost(const Environment& env, std::vector<std::string>& names) {
  for (const auto& [name, value] : env) {
    if (value == kRedacted) names.push_back(name);
  }
}

void fill(Environment& env, const Environment& known) {
  for (auto& [name, value] : env) {
    if (value == kRedacted) value = known.at(name);
  }
}

/// What differs between the variables of the journal and those of the file; "" if nothing does.
std::string difference(const char* key, const Environment& recorded, const Environment& known) {
  const Environment was = sxb::redacted(recorded), is = sxb::redacted(known);
  for (const auto& [name, value] : was) {
    const auto it = is.find(name);
    if (it == is.end()) return fmt::format("its {} has no {} any more", key, name);
    if (it->second != value) return fmt::format("{} in its {} is another now", name, key);
  }
  for (const auto& [name, value] : is) {
    if (was.count(name) == 0) return fmt::format("its {} has {}, which the run had not", key, name);
  }
  return "";
}

/// Where a secret of this node goes.
auto reach(const Node& node) {
  return std::tie(node.host, node.ssh_port, node.ssh_user, node.ssh_key, node.ssh_jump);
}

/// Why the file is not the one that the run was made with; "" if it is.
std::string misfit(const Cluster& recorded, const Cluster& known) {
  if (recorded.name != known.name) return fmt::format("it is the cluster \"{}\" now", known.name);
  if (recorded.paths.program != known.paths.program) return "its paths.program is another now";
  if (recorded.ssh.config != known.ssh.config) return "its ssh.config is another now";
  for (const Node& node : recorded.nodes) {
    const auto it = std::find_if(known.nodes.begin(), known.nodes.end(),
                                 [&](const Node& other) { return other.name == node.name; });
    if (it == known.nodes.end()) return fmt::format("it has no node {} any more", node.name);
    if (reach(*it) != reach(node)) return fmt::format("node {} is reached in another way now", node.name);
  }
  const std::string nccl = difference("nccl_env", recorded.nccl_env, known.nccl_env);
  return nccl.empty() ? difference("env", recorded.env, known.env) : nccl;
}

Error lost(const std::vector<std::string>& names, const std::string& why, const std::string& source) {
  return {
      fmt::format("a run folder keeps no secrets, and {} cannot be read again: {}", join(names, ", "), why),
      source,
      "make the cluster config as it was when the run began; or add --resume RUN to the command that the run "
      "was made with, whose flags then name the cluster"};
}

}  // namespace

Cluster redacted(Cluster cluster) {
  cluster.env = sxb::redacted(std::move(cluster.env));
  cluster.nccl_env = sxb::redacted(std::move(cluster.nccl_env));
  return cluster;
}

std::vector<std::string> lost_secrets(const Cluster& cluster) {
  std::vector<std::string> names;
  add_lost(cluster.nccl_env, names);
  add_lost(cluster.env, names);
  return names;
}

Status restore_secrets(Cluster& cluster, const std::string& source) {
  const std::vector<std::string> names = lost_secrets(cluster);
  if (names.empty()) return ok_status();
  if (source.empty()) return lost(names, "the run does not say from which cluster config it was made", "");
  // As a path, whatever it looks like: a name without "/" would be looked up among the shipped clusters.
  const Result<LoadedCluster> file = load_cluster(absolute_path(source).string());
  if (!file.ok())
    return lost(names, file.error().what, file.error().where.empty() ? source : file.error().where);
  if (const std::string why = misfit(cluster, file->cluster); !why.empty()) return lost(names, why, source);
  fill(cluster.nccl_env, file->cluster.nccl_env);
  fill(cluster.env, file->cluster.env);
  return ok_status();
}

unsigned run_umask(const Cluster& cluster, unsigned user) {
  const std::string& said = cluster.paths.file_mode;
  const unsigned mode = said.empty() ? kDefaultFileMode : static_cast<unsigned>(std::stoul(said, nullptr, 8));
  // A folder may be entered by those who may read its files: 0640 goes with 0750.
  const unsigned allowed = mode | (mode & 0444) >> 2;
  // Said, it is what holds; else nobody gets more than the user gives.
  return (~allowed & 0777) | (said.empty() ? user : 0);
}

}  // namespace sxb::config
