// The weights of a training on their way to disk (--save).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "record/record.h"

namespace sxb::record {

/// Rank 0: one file of weights is written.
struct Saved {
  static constexpr const char* kKind = "saved";
  std::string folder;
  std::string file;
  std::optional<std::int64_t> tensors;
  std::optional<std::int64_t> bytes;
  std::optional<double> write_s;
};

}  // namespace sxb::record
