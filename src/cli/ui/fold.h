// Many nodes on few lines: what is equal is said once, so that the odd one stands out.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "record/kinds/node.h"

namespace sxb::cli {

using Lines = std::vector<std::pair<std::string, std::string>>;  ///< what a fact is called -> its value

/// A line per fact, and where nodes differ a line per value, the most frequent first, with the nodes that
/// have it. `lines[i]` is what is known of `names[i]`.
std::string fold_lines(const std::vector<std::string>& names, const std::vector<Lines>& lines);

/// What `sxbench check` shows of the `node` records, (node, facts) each, folded.
std::string fold_facts(const std::vector<std::pair<std::string, record::Node>>& nodes);

}  // namespace sxb::cli
