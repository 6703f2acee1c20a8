// Many nodes on few lines: what is equal is said once, so that the odd one stands out.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "sxbench/base/json.h"

namespace sxb::cli {

/// What `sxbench check` shows of the `node` records, (node, facts) each: a line per fact, and where nodes
/// differ a line per value, the most frequent first, with the nodes that have it.
std::string fold_facts(const std::vector<std::pair<std::string, Json>>& nodes);

}  // namespace sxb::cli
