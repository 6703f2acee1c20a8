// Units. Inside, times are int64 nanoseconds and sizes int64 bytes; doubles appear only in derived
// values. Names carry their unit: _ns, _s, _bytes, _gbps (1e9 bit/s), _gBps (1e9 byte/s), _gib.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sxb {

inline constexpr std::int64_t kKiB = 1024;
inline constexpr std::int64_t kMiB = 1024 * kKiB;
inline constexpr std::int64_t kGiB = 1024 * kMiB;

/// "8", "32K", "1M", "8G" (binary suffixes, as nccl-tests reads them; "KiB" etc. accepted).
Result<std::int64_t> parse_bytes(std::string_view text);

/// "8 B", "32 KiB", "1.5 GiB", up to EiB.
std::string format_bytes(std::int64_t bytes);
/// "90", "60s", "5m", "12h", "2d" in seconds, whole and at least one.
Result<std::int64_t> parse_seconds(std::string_view text);
/// "850 µs", "12.3 ms", "4.2 s", "06:10".
std::string format_duration(std::int64_t ns);

/// With `decimals` digits after the point; from 10^15 on as "1.000e+308", so that no figure fills a line.
std::string format_fixed(double value, int decimals);
/// The nearest whole number that fits: the ends of the range for what lies beyond, 0 for what is no number.
std::int64_t saturated(double value);

}  // namespace sxb
