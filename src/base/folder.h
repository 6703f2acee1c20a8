// Folders and paths, asked without exceptions: std::filesystem throws where a disk goes away between two
// calls.
#pragma once

#include <filesystem>
#include <system_error>
#include <vector>

namespace sxb {

/// What lies in `folder`, sorted by name. `ec` says why nothing, or not all, could be read.
std::vector<std::filesystem::path> paths_in(const std::filesystem::path& folder, std::error_code& ec);

/// `path` from the root; as it is where the working folder was removed.
std::filesystem::path absolute_path(const std::filesystem::path& path);

}  // namespace sxb
