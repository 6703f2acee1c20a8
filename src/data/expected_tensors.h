// Whether weights are those of a model: its tensors, all of them and no others.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "data/safetensors.h"

namespace sxb::data {

/// Name and shape of each tensor of a model.
using TensorShapes = std::map<std::string, std::vector<std::int64_t>>;

/// One error each for tensors that are missing, of another shape or type (F32, BF16 and F16 are read), and
/// for those that the model lacks and would leave out. `where` names the weights in errors, `model` the
/// model. The frequencies of the rotary embedding that old checkpoints hold are none of them.
Status check_tensors(const SafetensorsReader& weights, const TensorShapes& expected, const std::string& where,
                     const std::string& model);

}  // namespace sxb::data
