#include "config/settings/origins.h"

#include <algorithm>

#include "base/files.h"
#include "base/text.h"
#include "config/model/model_json.h"
#include "config/reader.h"
#include "config/shipped.h"

namespace sxb::config {
namespace {

bool is_leaf(const Json& json) {
  if (json.is_object()) return json.empty();
  if (!json.is_array()) return true;
  return std::none_of(json.begin(), json.end(), [](const Json& entry) { return entry.is_structured(); });
}

void collect(const Json& json, const std::string& pointer, std::vector<std::string>& out) {
  if (is_leaf(json)) {
    out.push_back(pointer);
  } else {
    for (const auto& item : json.items())
      collect(item.value(), pointer + "/" + pointer_token(item.key()), out);
  }
}

/// True if `file` states the value at `pointer`: the path exists, or ends early in a value that is
/// not an object and stands for all below it ("nodes": "node[1-8]").
bool states(const Json& file, const std::string& pointer) {
  const Json* json = &file;
  const std::vector<std::string> parts = split(pointer, '/');
  for (std::size_t i = 1; i < parts.size(); ++i) {
    if (!json->is_object()) return true;
    const Json* next = nullptr;
    for (const auto& item : json->items()) {
      if (pointer_token(item.key()) == parts[i]) next = &item.value();
    }
    if (next == nullptr || next->is_null()) return false;
    json = next;
  }
  return true;
}

}  // namespace

std::vector<std::string> leaf_pointers(const Json& json) {
  std::vector<std::string> pointers;
  collect(json, "", pointers);
  return pointers;
}

Origins cluster_origins(const LoadedCluster& loaded) {
  const Cluster& cluster = loaded.cluster;
  const bool slurm = cluster.source == "slurm";
  const std::string profile =
      cluster.nccl_profile.empty()
          ? ""
          : (shipped_configs_dir() / "nccl" / (cluster.nccl_profile + ".json")).string();
  Origins origins;
  for (const std::string& leaf : leaf_pointers(to_json(cluster))) {
    Origin& origin = origins[leaf];
    if (states(loaded.file, leaf)) {
      origin = {Layer::kFile, cluster.source};
    } else if (leaf.starts_with("/nccl_env/")) {
      origin = {Layer::kFile, profile};
    } else if (slurm && leaf.starts_with("/nodes/")) {
      origin = {Layer::kEnvironment, "SLURM_JOB_NODELIST"};
    } else if (slurm && leaf == "/gpu/per_node") {
      origin = {Layer::kEnvironment, "SLURM_GPUS_ON_NODE"};
    }
  }
  return origins;
}

Origins model_origins(const Model& model, const Json& file) {
  const bool imported = is_hugging_face(file);
  Origins origins;
  for (const std::string& leaf : leaf_pointers(to_json(model))) {
    const bool of_folder = leaf == "/init_from" && !model.init_from.empty();
    const bool stated =
        imported ? leaf.starts_with("/arch/") || leaf == "/name" || of_folder : states(file, leaf);
    origins[leaf] = stated ? Origin{Layer::kFile, model.source} : Origin{};
  }
  return origins;
}

}  // namespace sxb::config
