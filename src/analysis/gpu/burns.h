// Burns: each device over time, and its place in the fleet.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analysis/read/dataset.h"
#include "analysis/read/samples.h"

namespace sxb::analysis {

/// A "burn" record with what the samples in its span say of the GPU.
struct BurnSecond {
  double second = 0, span_s = 0, tflops = 0, iterations = 0, mismatches = 0;
  std::optional<double> memory_bytes, power_w, sm_mhz, temp_c;
  std::string throttle;  ///< reasons seen, joined by "|"
};

struct BurnGpu {
  std::string node;
  int rank = -1, gpu = -1;
  std::vector<BurnSecond> seconds;
  double tflops = 0;        ///< over the whole burn
  double least_tflops = 0;  ///< of a whole second
  double mismatches = 0;
  std::optional<double> below;  ///< (median - tflops) / median
  bool slow = false;
  std::optional<double> memory_growth_bytes;  ///< from the first record to the last
  std::optional<GpuUse> use;  ///< over the whole burn, its single samples left out; absent without any
  std::string name() const;
};

struct BurnTask {
  const TaskData* task = nullptr;
  std::string precision;
  int nodes = 0;
  std::int64_t size = 0, streams = 0, duration_s = 0;
  bool cuda = false;
  bool mixed = false;         ///< GPUs of more than one type: no fleet
  std::vector<BurnGpu> gpus;  ///< in rank order
  double total_tflops = 0, median_tflops = 0;
  bool ok() const { return task->status() == TaskStatus::kOk; }
  std::string label() const;  ///< "bf16 on 2 nodes"
};

std::vector<BurnTask> group_burns(const Dataset& dataset);

}  // namespace sxb::analysis
