// Which values of a cluster or model its file gives, and which are defaults.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "sxbench/base/json.h"
#include "sxbench/config/settings.h"

namespace sxb::config {

/// JSON pointers of all leaves: everything but non-empty objects and arrays. An array of scalars is
/// one leaf, since people write it as one value.
std::vector<std::string> leaf_pointers(const Json& json);

/// Leaf of to_json(cluster) -> origin; reads the file at cluster.source again.
std::map<std::string, Origin> cluster_origins(const Cluster& cluster);
/// Leaf of to_json(model) -> origin; reads the file at model.source again.
std::map<std::string, Origin> model_origins(const Model& model);

}  // namespace sxb::config
