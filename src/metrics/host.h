// CPU and memory of the host, from /proc.
#pragma once

#include <cstdint>
#include <string>

namespace sxb::metrics {

/// "MemTotal", "MemAvailable" ... of /proc/meminfo in bytes; -1 if it is not there.
std::int64_t meminfo_bytes(const std::string& meminfo, const std::string& key);

}  // namespace sxb::metrics
