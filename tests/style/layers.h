// Who may include whom. A room is a folder that holds sources; tests/style/layers.txt has a line for each.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace sxb::style {

/// Room -> the rooms it may include.
using Layers = std::map<std::string, std::set<std::string>>;

/// Lines "room: other other/*"; # begins a comment. "other/*" are other and all rooms below it, except the
/// room itself. Throws std::runtime_error that names the line.
Layers parse_layers(const std::string& text);

/// Every way in which the sources below root/src and root/include break the table, or the table itself is
/// wrong: a folder without a line, a line without a folder, an include that no line allows, a circle among
/// the lines.
std::vector<std::string> broken_layers(const std::filesystem::path& root, const Layers& layers);

}  // namespace sxb::style
