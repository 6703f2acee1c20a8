// What stands against the GPUs that ranks are to use: asked before they start, and again when one has failed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "metrics/sampler.h"

namespace sxb::metrics {

struct GpuFault {
  std::string code;  ///< "gpu_missing", "gpu_lost" or "gpu_mig"
  Error error;       ///< kEnvironment
};

/// The worst that NVML says of the GPUs with these indices: fewer GPUs than that, one that has fallen off the
/// bus or needs a reset, MIG if ranks need `whole` GPUs. Nothing where all is well or NVML is not there; CUDA
/// has the last word in any case. `node`: for the messages.
std::optional<GpuFault> find_gpu_fault(const std::string& node, const std::vector<int>& gpus, bool whole,
                                       const Roots& roots = {});

}  // namespace sxb::metrics
