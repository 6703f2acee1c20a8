// What the phases gpu and burn measure on each GPU: the micro-benchmarks, and products repeated for a while.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace sxb::plan {

/// A micro-benchmark, as --tests and --list name it.
struct GpuTest {
  const char* name;
  bool host;         ///< runs on the CPU, where there is no GPU
  const char* what;  ///< what it measures, for --list
};
/// In the order in which they run. The engine has one implementation for each; a test holds both lists
/// together.
const std::vector<GpuTest>& gpu_tests();

struct GpuSuite {
  std::vector<std::string> tests;    ///< --tests; empty = all
  std::int64_t bytes = 512LL << 20;  ///< --size: buffer of a copy, as nvbandwidth's -b
  int min_runs = 5;                  ///< of each figure, however steady they are
  int max_runs = 50;                 ///< of each figure, however unsteady they are
};
Json to_json(const GpuSuite& suite);
Result<GpuSuite> parse_gpu_suite(const Json& json, const std::string& where);

/// C = A B over and over on all GPUs at once; every result must have the bits of the first.
struct Burn {
  int duration_s = 60;    ///< --duration
  int streams = 4;        ///< --streams
  std::string precision;  ///< --precision; empty = by device: bf16, on CPU ranks fp32
  std::int64_t size = 0;  ///< --size: rows and columns of the matrices; 0 = by device
  int memory_pct =
      80;  ///< --memory: of the free GPU memory, filled with results; CPU ranks keep one a stream
};
Json to_json(const Burn& burn);
Result<Burn> parse_burn(const Json& json, const std::string& where);
/// With precision and size chosen for the device.
Burn resolve_burn(Burn burn, bool cuda);
/// Bytes of an element of a matrix that is multiplied, and of a result; 0 for an unknown precision.
struct ElementBytes {
  int in = 0, out = 0;
};
ElementBytes element_bytes(const std::string& precision);

/// Names of tests, sizes, runs. `rank_bytes`: memory of one rank, 0 = unknown.
Errors check_gpu_suite(const GpuSuite& suite, std::int64_t rank_bytes);
Errors check_burn(const Burn& burn, bool cuda, std::int64_t rank_bytes);

}  // namespace sxb::plan
