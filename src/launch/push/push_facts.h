// What is known of a copy before and after it: how large, and why one failed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "launch/push/distribute.h"

namespace sxb::launch {

/// The most telling line of a program that failed: rsync's own summary comes last and says the least.
std::string reason_of(const Answer& answer);

/// Of all files below; 0 if it cannot be told.
std::int64_t bytes_in(const std::filesystem::path& folder);

}  // namespace sxb::launch
