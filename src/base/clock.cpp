#include "base/clock.h"

#include <ctime>

namespace sxb {
namespace {

std::int64_t read_clock(clockid_t id) {
  timespec now{};
  ::clock_gettime(id, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

std::string format_time(std::int64_t wall_ns, const char* format) {
  const std::time_t seconds = wall_ns / 1'000'000'000;
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char buffer[32];
  return std::string(buffer, std::strftime(buffer, sizeof buffer, format, &utc));
}

}  // namespace

std::int64_t monotonic_ns() { return read_clock(CLOCK_MONOTONIC); }
std::int64_t wall_ns() { return read_clock(CLOCK_REALTIME); }
std::int64_t boot_ns() { return read_clock(CLOCK_BOOTTIME); }
std::string format_utc(std::int64_t wall_ns) { return format_time(wall_ns, "%Y-%m-%dT%H:%M:%SZ"); }
std::string format_utc_compact(std::int64_t wall_ns) { return format_time(wall_ns, "%Y%m%dT%H%M%SZ"); }

}  // namespace sxb
