#include "launch/node/clock_watch.h"

#include <fmt/format.h>

#include <cstdlib>

namespace sxb::launch {
namespace {

constexpr std::int64_t kJumpNs = 1'000'000'000;

}  // namespace

std::optional<std::int64_t> ClockWatch::jump(std::int64_t mono_ns, std::int64_t wall_ns) {
  const std::int64_t offset = wall_ns - mono_ns;
  const std::int64_t change = offset - offset_ns_.value_or(offset);
  offset_ns_ = offset;
  if (std::llabs(change) < kJumpNs) return std::nullopt;
  return change;
}

Error ClockWatch::describe(const std::string& who, std::int64_t jump_ns) {
  return {fmt::format("the wall clock of {} jumped by {:+.1f} s", who, static_cast<double>(jump_ns) * 1e-9),
          "",
          "intervals are measured with the monotonic clock and stay right, dates of records do not; "
          "check the time service of that machine (chronyc tracking, timedatectl)",
          ExitCode::kOk};
}

}  // namespace sxb::launch
