// Names of clusters, models and runs: parts of folder and file names, columns of reports, words on a
// terminal.
#pragma once

#include <string>
#include <string_view>

namespace sxb::config {

/// A file name has room for 255 bytes, and there are a date, a task or a node beside the name.
inline constexpr std::size_t kMaxNameLength = 100;
inline constexpr const char* kNameHelp = "use letters, digits, '-', '_' and '.', 100 at most";
inline constexpr const char* kNamePattern = "^[A-Za-z0-9._-]{1,100}$";

bool is_name(std::string_view text);
/// `text` with '-' for what a name cannot have, cut to its length; "unnamed" if nothing is left.
std::string as_name(std::string_view text);

}  // namespace sxb::config
