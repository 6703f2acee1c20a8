// Notices when this process did not run: stopped by a signal, swapped out, its machine suspended or without a
// CPU to give. Whoever waits for others must not take such a time for their silence.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace sxb::launch {

class PauseWatch {
 public:
  /// A process that comes round at least five times a second has not run if it is away for this long.
  static constexpr std::int64_t kLeastNs = 1'000'000'000;

  /// Call at the end of every round: how long this process was away since the last call, if that is kLeastNs
  /// or more.
  std::optional<std::int64_t> pause();
  /// The same with given times, of a clock that goes on while a machine is suspended.
  std::optional<std::int64_t> pause_until(std::int64_t now_ns);

  /// Of all pauses so far, and the end of the last; 0: there was none.
  std::int64_t total_ns() const { return total_ns_; }
  std::int64_t last_end_ns() const { return last_end_ns_; }

  /// The message of a pause; `who` is "node n1" or "the head".
  static Error describe(const std::string& who, std::int64_t pause_ns);

 private:
  std::optional<std::int64_t> last_ns_;
  std::int64_t total_ns_ = 0, last_end_ns_ = 0;
};

}  // namespace sxb::launch
