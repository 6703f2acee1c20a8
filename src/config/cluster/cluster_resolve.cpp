// Which cluster is meant, the NCCL profile that it names, and the Slurm allocation around it.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>

#include "base/files.h"
#include "base/input_file.h"
#include "base/text.h"
#include "config/cluster/cluster.h"
#include "config/cluster/cluster_settings.h"
#include "config/cluster/node_set.h"
#include "config/name.h"
#include "config/shipped.h"

namespace sxb::config {
namespace fs = std::filesystem;
namespace {

std::string from_env(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

bool is_file(const fs::path& path) {
  std::error_code ec;
  return fs::is_regular_file(path, ec);
}

/// Puts the variables of the profile under those of the cluster's own nccl_env.
Status merge_profile(Cluster& cluster) {
  if (cluster.nccl_profile.empty()) return ok_status();
  auto profile = load_nccl_profile(cluster.nccl_profile);
  if (!profile.ok()) {
    Errors errors = profile.errors();
    for (Error& error : errors) {
      if (error.where.empty()) error.where = cluster.source + ":/nccl_profile";
    }
    return errors;
  }
  cluster.nccl_env.merge(std::move(profile).value());
  return ok_status();
}

constexpr const char* kNodeList = "SLURM_JOB_NODELIST";

/// Whether a node set in the file says "@slurm".
bool uses_slurm_group(const Json& json) {
  if (json.is_string()) return json.get<std::string>().find("@slurm") != std::string::npos;
  return json.is_structured() && std::any_of(json.begin(), json.end(), uses_slurm_group);
}

Error bad_node_list(const Error& error) {
  return {
      error.what, fmt::format("${}", kNodeList),
      "call sxbench inside of sbatch or salloc, which set it; or name the nodes in a file with --cluster"};
}

/// "@slurm" stands for the nodes of the allocation. A list that is none is only an error where it is asked
/// for: containers and wrappers leave all kinds of text in that variable.
Status add_slurm_group(Json& json) {
  const std::string list = from_env(kNodeList);
  if (list.empty() || !json.is_object()) return ok_status();
  if (json.contains("groups") && (!json["groups"].is_object() || json["groups"].contains("slurm")))
    return ok_status();
  if (const auto nodes = expand_node_set(list); !nodes.ok()) {
    if (!uses_slurm_group(json)) return ok_status();
    return bad_node_list(nodes.error());
  }
  json["groups"]["slurm"] = list;
  return ok_status();
}

/// Within an allocation srun starts the agents, unless the file says otherwise.
void prefer_slurm(Cluster& cluster) {
  const auto slurm = cluster.groups.find("slurm");
  if (cluster.transport != TransportKind::kAuto || slurm == cluster.groups.end()) return;
  const std::vector<std::string>& allocated = slurm->second;
  const auto inside = [&](const Node& node) {
    return std::find(allocated.begin(), allocated.end(), node.name) != allocated.end();
  };
  if (std::all_of(cluster.nodes.begin(), cluster.nodes.end(), inside))
    cluster.transport = TransportKind::kSlurm;
}

Result<LoadedCluster> load_file(const fs::path& path) {
  if (std::error_code ec; !fs::exists(path, ec)) {
    return Error{"there is no such file", path.string(),
                 fmt::format("give the path of a cluster file, or a shipped name: {}",
                             join(shipped_clusters(), ", "))};
  }
  SXB_ASSIGN_OR_RETURN(Json file, load_json(path));
  Json json = file;
  SXB_RETURN_IF_ERROR(add_slurm_group(json));
  SXB_ASSIGN_OR_RETURN(Cluster cluster, parse_cluster(json, path.string()));
  SXB_RETURN_IF_ERROR(merge_profile(cluster));
  prefer_slurm(cluster);
  return LoadedCluster{std::move(cluster), std::move(file)};
}

/// The nodes of the Slurm job that this process runs in.
Result<LoadedCluster> slurm_cluster() {
  const std::string list = from_env(kNodeList);
  if (const auto nodes = expand_node_set(list); !nodes.ok()) return bad_node_list(nodes.error());
  const std::string gpus = from_env("SLURM_GPUS_ON_NODE");
  Json json = {{"name", as_name("slurm-" + from_env("SLURM_JOB_ID"))},
               {"description", "nodes of the Slurm allocation " + from_env("SLURM_JOB_ID")},
               {"transport", to_string(TransportKind::kSlurm)},
               {"nodes", list}};
  if (!gpus.empty()) {
    int count = 0;
    const auto [end, ec] = std::from_chars(gpus.data(), gpus.data() + gpus.size(), count);
    if (ec != std::errc() || end != gpus.data() + gpus.size() || count < 0) {
      return Error{fmt::format("\"{}\" is not a number of GPUs", gpus), "$SLURM_GPUS_ON_NODE",
                   "name the cluster with --cluster"};
    }
    if (count > 0) {
      json["nodes"] = Json::array({{{"name", list}, {"gpus", count}}});
      json["gpu"] = {{"per_node", count}};
    }
  }
  SXB_ASSIGN_OR_RETURN(Cluster cluster, parse_cluster(json, fmt::format("${}", kNodeList)));
  cluster.source = "slurm";
  return LoadedCluster{std::move(cluster), Json::object()};
}

}  // namespace

std::vector<std::string> shipped_clusters() { return shipped_names("clusters"); }

Result<std::map<std::string, std::string>> load_nccl_profile(const std::string& name) {
  SXB_ASSIGN_OR_RETURN(const fs::path path, find_shipped("nccl", name, "NCCL profile", ""));
  SXB_ASSIGN_OR_RETURN(const Json json, load_json(path));
  Errors errors;
  std::map<std::string, std::string> env;
  ObjectReader reader(json, path.string(), "", errors);
  std::string description;
  reader.text("description", description, Need::kRequired);
  read_environment(reader, "env", env);
  reader.finish();
  if (!errors.empty()) return errors;
  return env;
}

ClusterChoice choose_cluster(const std::string& argument) {
  using From = ClusterChoice::From;
  if (!argument.empty()) return {argument, From::kArgument};
  if (std::string name = from_env("SXBENCH_CLUSTER"); !name.empty()) return {name, From::kEnvironment};
  if (is_file("cluster.json")) return {"./cluster.json", From::kWorkingFolder};
  if (const fs::path path = user_config_dir() / "cluster.json"; is_file(path)) {
    return {path.string(), From::kUserFolder};
  }
  if (!from_env(kNodeList).empty()) return {"", From::kSlurm};
  return {"local", From::kBuiltin};
}

Result<LoadedCluster> load_cluster(const std::string& argument) {
  const ClusterChoice choice = choose_cluster(argument);
  if (choice.from == ClusterChoice::From::kSlurm) return slurm_cluster();
  if (looks_like_path(choice.argument)) return load_file(expand_home(choice.argument));
  const char* where = choice.from == ClusterChoice::From::kEnvironment ? "$SXBENCH_CLUSTER" : "--cluster";
  SXB_ASSIGN_OR_RETURN(const fs::path path, find_shipped("clusters", choice.argument, "cluster", where));
  SXB_ASSIGN_OR_RETURN(LoadedCluster loaded, load_file(path));
  if (choice.from == ClusterChoice::From::kBuiltin) {
    loaded.cluster.source = "builtin";
    loaded.file = Json::object();
  }
  return loaded;
}

Result<Cluster> resolve_cluster(const std::string& argument) {
  SXB_ASSIGN_OR_RETURN(LoadedCluster loaded, load_cluster(argument));
  return std::move(loaded.cluster);
}

}  // namespace sxb::config
