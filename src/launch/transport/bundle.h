// The inputs of many jobs in one text, for transports that give every node the same.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/secret.h"

namespace sxb::launch {

/// (node, its input).
using NodeInputs = std::vector<std::pair<std::string, std::string>>;

/// One line of base64. Compressed: the inputs differ in little, so that a thousand take hardly more than one.
std::string pack_bundle(const NodeInputs& inputs);

/// The input of `node` in what pack_bundle() made.
Result<std::string> unpack_bundle(std::string_view bundle, const std::string& node);

/// The same for where everybody can read it, as in a command line: only who holds the secret half of one of
/// `readers` can. `id`, which has no ":", tells a reader which of its keys is meant.
std::string seal_bundle(const std::string& id, const NodeInputs& inputs,
                        const std::vector<std::string>& readers);

/// The id of what seal_bundle() made.
std::string bundle_id(std::string_view sealed);

/// The input of `node` in it. An error: the key is not among the readers', or it did not arrive whole.
Result<std::string> open_bundle(std::string_view sealed, const KeyPair& key, const std::string& node);

}  // namespace sxb::launch
