// The inputs of many jobs in one text, for transports that give every node the same.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace sxb::launch {

/// (node, input) pairs as one line of base64. Compressed: the inputs differ in little, so that a thousand
/// take hardly more than one.
std::string pack_bundle(const std::vector<std::pair<std::string, std::string>>& inputs);

/// The input of `node` in what pack_bundle() made.
Result<std::string> unpack_bundle(std::string_view bundle, const std::string& node);

}  // namespace sxb::launch
