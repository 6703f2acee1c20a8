#include "base/folder.h"

#include <algorithm>

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

}  // namespace sxb
