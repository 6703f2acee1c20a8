#include "launch/os/pause_watch.h"

#include <fmt/format.h>

#include "base/clock.h"
#include "base/units.h"

namespace sxb::launch {

std::optional<std::int64_t> PauseWatch::pause() { return pause_until(boot_ns()); }

std::optional<std::int64_t> PauseWatch::pause_until(std::int64_t now_ns) {
  const std::int64_t away = now_ns - last_ns_.value_or(now_ns);
  last_ns_ = now_ns;
  if (away < kLeastNs) return std::nullopt;
  total_ns_ += away;
  last_end_ns_ = now_ns;
  return away;
}

Error PauseWatch::describe(const std::string& who, std::int64_t pause_ns) {
  return {fmt::format("{} did not run for {}: it was stopped, suspended, or had no CPU or disk", who,
                      format_duration(pause_ns)),
          "",
          "no time limit counts that time; keep that machine awake and free of other load (a laptop's lid, a "
          "hypervisor, a debugger, a full disk of a slow file server)",
          ExitCode::kOk};
}

}  // namespace sxb::launch
