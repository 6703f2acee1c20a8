// Physical facts for the analysis, read once per report.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "analysis/read/dataset.h"
#include "config/hardware/hardware.h"

namespace sxb::analysis {

/// What is known of a GPU type, by the name that NVML and CUDA print.
using HardwareLookup = std::function<std::optional<config::GpuHardware>(const std::string&)>;

struct Hardware {
  HardwareLookup gpu;
  config::Interconnects paths;
};

/// The tables, for the GPUs of this run; a GPU that they lack has no limits.
Result<Hardware> load_hardware(const Dataset& dataset);

}  // namespace sxb::analysis
