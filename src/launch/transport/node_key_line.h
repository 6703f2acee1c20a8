// What a node answers to `worker key`. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sxb::launch {

/// "sxbench-key ID KEY": the id of the run, which only the head's command line has, tells it from a line that
/// somebody's login prints.
std::string node_key_line(const std::string& id, const std::string& public_key);

/// The key in such a line, whatever stands before it; none in any other.
std::optional<std::string> parse_node_key_line(std::string_view line, const std::string& id);

}  // namespace sxb::launch
