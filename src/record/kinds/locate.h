// The probes of a search for slow parts, and its end.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "record/record.h"

namespace sxb::record {

/// One end of a link.
struct LocateEnd {
  std::string node;
  std::optional<int> rank;
};

/// Rank 0: one node probed by itself.
struct LocateNode {
  static constexpr const char* kKind = kind::kLocateNode;
  std::string stage;
  std::optional<int> round;
  std::string node;
  std::optional<int> ranks;
  std::string collective;
  std::optional<std::int64_t> size_bytes;
  std::optional<double> busbw_gBps;
  std::optional<double> time_us;
  std::optional<int> iterations;
  std::vector<std::optional<double>> tflops;
  std::string failure;
};

/// Rank 0: one rail of a pair of nodes.
struct LocateLink {
  static constexpr const char* kKind = kind::kLocateLink;
  std::string stage;
  std::optional<int> round;
  std::optional<int> rail;
  std::optional<LocateEnd> a;
  std::optional<LocateEnd> b;
  std::optional<int> ranks;
  std::string collective;
  std::optional<std::int64_t> size_bytes;
  std::optional<double> busbw_gBps;
  std::optional<double> time_us;
  std::optional<int> iterations;
  std::optional<double> a_to_b_gBps;
  std::optional<double> b_to_a_gBps;
  std::string failure;
};

/// Rank 0: one rail of more than two nodes.
struct LocateGroup {
  static constexpr const char* kKind = kind::kLocateGroup;
  std::string stage;
  std::optional<int> round;
  std::optional<int> rail;
  std::vector<std::string> nodes;
  std::optional<int> ranks;
  std::string collective;
  std::optional<std::int64_t> size_bytes;
  std::optional<double> busbw_gBps;
  std::optional<double> time_us;
  std::optional<int> iterations;
  std::string failure;
};

/// Rank 0: the end of a search.
struct Locate {
  static constexpr const char* kKind = kind::kLocate;
  std::optional<int> nodes;
  std::optional<int> rounds;
  std::optional<int> repeats;
  std::optional<bool> all_pairs;
  std::optional<std::int64_t> size_bytes;
  std::optional<double> duration_s;
};

}  // namespace sxb::record
