// Which values of a cluster or model its file gives, and which are defaults.
#pragma once

#include <map>
#include <string>

#include "config/settings/settings.h"

namespace sxb::config {

/// Leaf of to_json(cluster) -> origin; reads the file at cluster.source again.
std::map<std::string, Origin> cluster_origins(const Cluster& cluster);
/// Leaf of to_json(model) -> origin; reads the file at model.source again.
std::map<std::string, Origin> model_origins(const Model& model);

}  // namespace sxb::config
