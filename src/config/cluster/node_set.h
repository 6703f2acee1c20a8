// Node-set syntax: "node[001-008,012]", "a,b[1-3]", ranges keep their zero padding.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sxb::config {

/// Named lists of nodes, for "@name" in a node set.
using NodeGroups = std::map<std::string, std::vector<std::string>>;

/// Expands a node set into names, in the order written, without duplicates. "@rack1" stands for the
/// nodes of that group.
Result<std::vector<std::string>> expand_node_set(std::string_view text, const NodeGroups& groups = {});

/// The inverse: {"node001","node002","node004"} -> "node[001-002,004]". Keeps input order of prefixes.
std::string fold_node_set(const std::vector<std::string>& names);

/// The two grow-only lists of the CLI: "2,4,8" and "7b,13b".
Result<std::vector<int>> parse_count_list(std::string_view text, std::string_view flag);

}  // namespace sxb::config
