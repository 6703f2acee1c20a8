#include "config/shipped.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/files.h"
#include "base/folder.h"
#include "base/text.h"

namespace sxb::config {
namespace fs = std::filesystem;

bool looks_like_path(const std::string& argument) {
  return argument.find('/') != std::string::npos || argument.ends_with(".json");
}

std::vector<std::string> shipped_names(const char* folder) {
  std::vector<std::string> names;
  std::error_code ec;
  for (const fs::path& path : paths_in(shipped_configs_dir() / folder, ec)) {
    if (path.extension() == ".json") names.push_back(path.stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<fs::path> find_shipped(const char* folder, const std::string& name, const char* what,
                              const std::string& where) {
  const std::vector<std::string> names = shipped_names(folder);
  if (std::find(names.begin(), names.end(), name) != names.end()) {
    return shipped_configs_dir() / folder / (name + ".json");
  }
  if (names.empty()) {
    return Error{fmt::format("no shipped configs in {}", (shipped_configs_dir() / folder).string()), where,
                 "set SXBENCH_CONFIGS to the folder configs/ of sxbench, or give a path",
                 ExitCode::kEnvironment};
  }
  const std::string near = did_you_mean(name, names);
  return Error{
      fmt::format("unknown {} \"{}\"", what, name), where,
      fmt::format("{}known: {}; or give the path of a JSON file",
                  near.empty() ? "" : fmt::format("did you mean \"{}\"? ", near), join(names, ", "))};
}

}  // namespace sxb::config
