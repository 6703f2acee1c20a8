#include "base/folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace sxb {
namespace fs = std::filesystem;

std::vector<fs::path> paths_in(const fs::path& folder, std::error_code& ec) {
  std::vector<fs::path> paths;
  for (fs::directory_iterator it(folder, ec), end; !ec && it != end; it.increment(ec))
    paths.push_back(it->path());
  std::sort(paths.begin(), paths.end());
  return paths;
}

fs::path absolute_path(const fs::path& path) {
  std::error_code ec;
  fs::path absolute = fs::absolute(path, ec);
  return ec ? path : absolute;
}

Status sync_folder(const fs::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = fd >= 0 && (::fsync(fd) == 0 || errno == EINVAL);
  const int code = errno;
  if (fd >= 0) ::close(fd);
  if (synced) return ok_status();
  return Error{fmt::format("cannot write the folder: {}", std::strerror(code)), folder.string(),
               code == ENOSPC ? "free space on that file system" : "", ExitCode::kEnvironment};
}

}  // namespace sxb
