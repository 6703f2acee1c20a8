// Which values of a cluster or model its file gives, and which are defaults.
#pragma once

#include "config/settings/settings.h"

namespace sxb::config {

/// Leaf of to_json(loaded.cluster) -> origin.
Origins cluster_origins(const LoadedCluster& loaded);
/// Leaf of to_json(model) -> origin; `file` is the document at model.source.
Origins model_origins(const Model& model, const Json& file);

}  // namespace sxb::config
