// What is known of a copy before and after it: how large, and why one failed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "launch/push/distribute.h"

namespace sxb::launch {

/// The most telling line of a program that failed: rsync's own summary comes last and says the least.
std::string reason_of(const Answer& answer);

/// What to do about a copy to `node` that failed. `login_said`: what a login there printed before a command
/// that prints nothing; "" if it did not.
std::string copy_help(const Answer& answer, const config::Node& node, const std::string& login_said);

/// Of all files below; 0 if it cannot be told.
std::int64_t bytes_in(const std::filesystem::path& folder);

}  // namespace sxb::launch
