// GPU micro-benchmarks and burn.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "record/record.h"

namespace sxb::record {

/// Every rank: one figure of a GPU micro-benchmark.
struct GpuBench {
  static constexpr const char* kKind = kind::kGpuBench;
  std::string group;
  std::string test;
  std::optional<int> gpu;
  std::string shape;
  std::string metric;
  std::optional<double> value;
  std::optional<double> p5;
  std::optional<double> p95;
  std::optional<std::int64_t> runs;
  std::optional<bool> stable;
  std::optional<std::int64_t> wrong;
  std::optional<int> peer;
  std::string waived;
};

/// Every rank, about once a second of a burn.
struct Burn {
  static constexpr const char* kKind = kind::kBurn;
  std::optional<int> gpu;
  std::optional<double> second;
  std::optional<double> span_s;
  std::optional<double> tflops;
  std::optional<std::int64_t> iterations;
  std::optional<std::int64_t> mismatches;
  std::optional<std::int64_t> memory_bytes;
};

}  // namespace sxb::record
