// The two clocks of every record: CLOCK_MONOTONIC aligns what happens on one node, CLOCK_REALTIME
// relates nodes and people.
#pragma once

#include <cstdint>
#include <string>

namespace sxb {

std::int64_t monotonic_ns();
std::int64_t wall_ns();
/// CLOCK_BOOTTIME: as the monotonic clock, but it goes on while the machine is suspended.
std::int64_t boot_ns();

/// "2026-11-21T07:13:40Z".
std::string format_utc(std::int64_t wall_ns);
/// "20261121T071340Z", for file names.
std::string format_utc_compact(std::int64_t wall_ns);

}  // namespace sxb
