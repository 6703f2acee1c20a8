// Physical facts of GPU types (configs/hardware/gpus.json): what no measurement may exceed.
#pragma once

#include <optional>
#include <string>

#include "sxbench/base/result.h"

namespace sxb::config {

struct GpuHardware {
  std::string name;               ///< as NVML prints it
  double bf16_dense_tflops = 0;
  double fp8_dense_tflops = 0;
  double memory_gib = 0;
  double memory_bandwidth_gBps = 0;
  double nvlink_gBps = 0;         ///< per direction, all links
  double power_limit_w = 0;
  std::string source;             ///< where the figures come from
};

/// The entry whose name equals `name`; nullopt if the table does not know the GPU (then no MFU is
/// given, rather than one against a guessed peak).
Result<std::optional<GpuHardware>> find_gpu(const std::string& name);

}  // namespace sxb::config
