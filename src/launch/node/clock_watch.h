// Notices when somebody sets the wall clock. No interval of sxbench is measured with it, but the
// dates in records are, and so is whatever people compare them with.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace sxb::launch {

class ClockWatch {
 public:
  /// Call often with both clocks: the jump of the wall clock since the last call, if it is a second
  /// or more. A clock that NTP slews moves by 0.5 ms a second at most and never counts.
  std::optional<std::int64_t> jump(std::int64_t mono_ns, std::int64_t wall_ns);

  /// The message of a jump; `who` is "node n1" or "the head".
  static Error describe(const std::string& who, std::int64_t jump_ns);

 private:
  std::optional<std::int64_t> offset_ns_;
};

}  // namespace sxb::launch
