// Folders and paths, asked without exceptions: std::filesystem throws where a disk goes away between two
// calls.
#pragma once

#include <filesystem>
#include <system_error>
#include <vector>

#include "base/result.h"

namespace sxb {

/// What lies in `folder`, sorted by name. `ec` says why nothing, or not all, could be read.
std::vector<std::filesystem::path> paths_in(const std::filesystem::path& folder, std::error_code& ec);

/// `path` from the root; as it is where the working folder was removed.
std::filesystem::path absolute_path(const std::filesystem::path& path);

/// The names in it are on the disk. A file system that cannot do that (EINVAL) is taken as it is.
Status sync_folder(const std::filesystem::path& folder);

}  // namespace sxb
