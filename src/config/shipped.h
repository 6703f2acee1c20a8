// The folder of shipped configs: names for people, paths for us.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace sxb::config {

/// True if `argument` can only be meant as a path: it has a "/" or ends in ".json".
bool looks_like_path(const std::string& argument);

/// Sorted names of configs/<folder>/*.json.
std::vector<std::string> shipped_names(const char* folder);

/// configs/<folder>/<name>.json if it exists, else an error that knows what is there. `what` is the
/// word for it ("cluster"), `where` the flag or key that named it.
Result<std::filesystem::path> find_shipped(const char* folder, const std::string& name, const char* what,
                                           const std::string& where);

}  // namespace sxb::config
