// GPU samples through NVML.
#pragma once

#include <string>
#include <vector>

#include "metrics/source.h"

namespace sxb::metrics {

/// One source for each of `gpus` (NVML indices, empty = all). Fields that a GPU does not offer are
/// listed in Sources::missing as "gpu<index>:<fields>" and then left out of its samples.
Sources gpu_sources(const std::vector<int>& gpus, const std::string& nvml_library);

}  // namespace sxb::metrics
