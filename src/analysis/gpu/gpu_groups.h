// GPU micro-benchmarks: the figures of all devices side by side, and which device stands off.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "analysis/read/dataset.h"
#include "analysis/read/samples.h"
#include "stats/outliers.h"

namespace sxb::analysis {

/// A device below the others of its fleet: more than 5 % and more than 3.5 sigma below their median (1.4826
/// MAD, at least 0.5 % of the median). Fewer than three devices have no median to stand off from: none is
/// slow.
std::vector<stats::Outlier> slow_devices(std::span<const double> values);
inline constexpr std::size_t kLeastFleet = 3;

/// What one device has measured.
struct GpuValue {
  std::string node;
  int rank = -1, gpu = -1;  ///< gpu -1: the CPU
  std::optional<int> peer;  ///< other GPU of the pair
  std::string shape;
  double value = 0, p5 = 0, p95 = 0;
  double runs = 0;
  bool stable = true;
  std::optional<double> wrong;  ///< absent: no data to check
  /// "node001 GPU 3", "node001 GPU 3 <- 5", "node001 rank 2" on the CPU.
  std::string name() const;
};

/// One figure of a test, over all devices and repeats.
struct GpuFigure {
  std::string group, test, shape, metric;
  std::vector<GpuValue> values;      ///< in rank order; of repeats the median of each device
  std::vector<stats::Outlier> slow;  ///< indices of `values`; only where more is better
  double median = 0;
  const GpuValue& least() const;
  const GpuValue& most() const;
  double wrong() const;
  bool checked() const;
};

struct Waived {
  std::string test, why;
  int devices = 0;
};

/// The devices while a test ran, from the samples in its window.
struct TestState {
  std::string test;
  TaskSamples samples;
};

/// The repeats of the suite on one node count.
struct GpuGroup {
  int nodes = 0;
  std::vector<const TaskData*> tasks;
  int ok = 0;
  bool cuda = false;
  bool mixed = false;  ///< GPUs of more than one type: no fleet
  std::vector<GpuFigure> figures;
  std::vector<Waived> waived;
  std::vector<TestState> states;  ///< of the last task
};

/// Whether the task ran on GPUs.
bool on_gpus(const TaskData& task);
/// Whether the task's ranks have devices of more than one type.
bool has_mixed_devices(const TaskData& task);

/// Figures from "gpu_bench" records of one or more tasks, in the order in which they came.
using GpuBenchRecords = std::vector<const Typed<record::GpuBench>*>;
std::vector<GpuFigure> fold_figures(const GpuBenchRecords& records);
std::vector<Waived> fold_waived(const GpuBenchRecords& records);

std::vector<GpuGroup> group_gpu(const Dataset& dataset);

}  // namespace sxb::analysis
