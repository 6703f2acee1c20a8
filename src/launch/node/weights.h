// The weights of a training on this node: those that it begins with, and the folder for those it leaves.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "config/model/model.h"
#include "launch/node/emitter.h"
#include "plan/task.h"

namespace sxb::launch {

/// The weights of init_from can be read and are those of the model: config.json and every tensor. Ok without
/// init_from.
Status check_weights(const config::Model& model);

/// Weights that cannot be written would be lost at the end of the run. Whether `folder` may take those of
/// `model`, and has room for them; makes nothing.
Status check_save_folder(const std::string& folder, const config::Model& model, bool cuda);

/// What a node does for the weights of its ranks' training before they start: checks those of init_from,
/// makes the folder for those that rank 0 saves, and lets the first node say what is to be said.
Status prepare_weights(const std::vector<plan::RankTask>& ranks, Emitter& emitter);

}  // namespace sxb::launch
