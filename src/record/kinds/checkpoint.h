// The state of a training that was saved on the way, and one that goes on from there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "record/record.h"

namespace sxb::record {

/// Rank 0: a checkpoint that all ranks have written.
struct Checkpoint {
  static constexpr const char* kKind = "checkpoint";
  std::optional<std::int64_t> step;
  std::optional<std::int64_t> bytes;
  std::optional<double> seconds;
  std::optional<double> copy_s;
  std::optional<double> write_s;
  std::optional<double> gBps;
};

/// Rank 0, before its first step: this attempt goes on where a checkpoint ends.
struct Resumed {
  static constexpr const char* kKind = "resumed";
  std::optional<std::int64_t> step;
  std::optional<std::int64_t> bytes;
  std::optional<double> seconds;
};

}  // namespace sxb::record
