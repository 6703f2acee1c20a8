// What people name: a file, a pipe, whatever a path may lead to. Read once, to its end, within bounds.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/result.h"

namespace sxb {

/// Far above any config, hostfile or traffic matrix.
inline constexpr std::int64_t kMostInputBytes = std::int64_t{64} << 20;

/// The content of a file or of a pipe ("<(...)", /dev/stdin), which has it only once. What has no end, is too
/// large, has no writer or is no file is an error (kUsage) within seconds, with little memory taken.
Result<std::string> read_input(const std::filesystem::path& path, std::int64_t most_bytes = kMostInputBytes);

/// A leading "~/" stands for the home folder: after "--out=" or in a config no shell has seen it. "~" alone
/// too; without a home, and for "~name", the text comes back as it is.
std::string expand_home(const std::string& path);

}  // namespace sxb
