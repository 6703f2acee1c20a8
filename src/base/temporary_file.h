// Names of files and links that are written beside the one whose place they take.
#pragma once

#include <filesystem>

#include "base/result.h"

namespace sxb {

/// "PATH.tmp-" and random digits. A process id would not do: hosts and containers that share a disk share
/// them, and so do the threads of a process.
std::filesystem::path temporary_name(const std::filesystem::path& path);

struct TemporaryFile {
  std::filesystem::path path;
  int fd = -1;
};
/// Makes a file of that name, which nobody else has open, for writing. An error leaves errno as it is.
Result<TemporaryFile> open_temporary(const std::filesystem::path& path);

}  // namespace sxb
