// One micro-benchmark of the suite: whether it can run here, and how. Each has a file of its own;
// registry.cpp lists them. What is counted and how it compares with other tools: docs/gpu.md.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/rank/node_ranks.h"
#include "plan/task.h"

namespace sxb::engine::gpu {

/// What decides whether a test can run.
struct Facts {
  bool cuda = false;
  int compute = 0;      ///< compute capability, 90 = 9.0
  bool mig = false;     ///< a slice of a GPU
  int local_world = 1;  ///< ranks of the node, each with a GPU of its own
};

/// One figure: a value per run, all of the same work.
struct Figure {
  std::string test;    ///< "hbm_copy_sm"
  std::string shape;   ///< "512 MiB"
  const char* metric;  ///< "TFLOP/s", "GB/s" or "us"
  std::vector<double> values;
  bool stable = true;
  std::optional<std::int64_t> wrong;  ///< absent: there is no data to check
  int peer = -1;                      ///< NVML index of the other GPU
};

struct Context {
  const plan::GpuSuite& suite;
  const plan::RankTask& task;
  const Facts& facts;
  rank::NodeRanks& ranks;
  std::function<void(const Figure&)> emit;
  /// A figure of the test that cannot be had here.
  std::function<void(const std::string& test, const std::string& why, int peer)> waive;
};

struct Test {
  const char* name;  ///< as in plan::gpu_tests()
  /// Why it cannot run here; empty = it can.
  std::string (*waived)(const Facts& facts);
  /// Every rank of the node calls it. Throws EngineError.
  void (*run)(Context& context);
};

/// THE list of tests.
const std::vector<const Test*>& tests();

inline std::string needs_gpu(const Facts& facts) { return facts.cuda ? "" : "no GPU"; }
inline std::string needs_cpu(const Facts& facts) {
  return facts.cuda ? "the ranks are on GPUs: --device cpu measures the host" : "";
}

/// Seconds of each run, until they are steady or the suite's bounds are met; `run` gives the seconds of one.
struct Runs {
  std::vector<double> seconds;
  bool stable = true;
  /// work / seconds of each, in units of `unit` per second.
  std::vector<double> rates(double work, double unit) const;
};
Runs repeat(const plan::GpuSuite& suite, const std::function<double()>& run);

}  // namespace sxb::engine::gpu
