#include "metrics/gpu_faults.h"

#include <fmt/format.h>

#include "metrics/nvml.h"

namespace sxb::metrics {
namespace {

using nvml::call;
using nvml::kSuccess;

std::string listed(const std::vector<int>& gpus) { return fmt::format("{}", fmt::join(gpus, ", ")); }

GpuFault missing(const std::string& node, int there, const std::vector<int>& absent) {
  return {
      "gpu_missing",
      {fmt::format("node {} has {} GPU{}, counted from 0: there is no GPU {}", node, there,
                   there == 1 ? "" : "s", listed(absent)),
       "",
       fmt::format("correct \"gpus\" of the node or \"gpu\": {{\"per_node\": {}}} in the cluster config; if "
                   "it should have more, `nvidia-smi -L`, `lspci | grep -i nvidia` and `dmesg | grep -i "
                   "nvrm` on {}",
                   there, node),
       ExitCode::kEnvironment}};
}

GpuFault lost(const std::string& node, int gpu, nvml::Return code, const std::string& words) {
  const char* what = code == nvml::kErrorResetRequired ? "needs a reset"
                     : code == nvml::kErrorUnknown
                         ? "does not answer, as one that has fallen off the PCIe bus"
                         : "has fallen off the PCIe bus";
  return {
      "gpu_lost",
      {fmt::format("GPU {} of node {} {}: NVML says \"{}\"", gpu, node, what, words), "",
       fmt::format(
           "`dmesg | grep -i xid` on {} has the cause (79 = off the bus); take the node out of service "
           "(--exclude {}), then nvidia-smi --gpu-reset -i {} or a reboot, and reseat the GPU if it comes "
           "again",
           node, node, gpu),
       ExitCode::kEnvironment}};
}

GpuFault cut(const std::string& node, const std::vector<int>& gpus) {
  return {
      "gpu_mig",
      {fmt::format("MIG is on: GPU {} of node {}", listed(gpus), node), "",
       fmt::format(
           "ranks need whole GPUs, a slice has no NVLink and no peer access: nvidia-smi -i {} -mig 0 on {}",
           fmt::join(gpus, ","), node),
       ExitCode::kEnvironment}};
}

/// How a GPU answers. One that is lost may still be handed out.
nvml::Return ask(const Nvml& nvml, int gpu, bool& mig) {
  nvml::Device device = nullptr;
  nvml::Return code = call(nvml.api().device_by_index, static_cast<unsigned>(gpu), &device);
  if (code != kSuccess) return code;
  nvml::MemoryV2 memory{};
  memory.version = nvml::kMemoryV2Version;
  code = call(nvml.api().memory_info, device, &memory);
  unsigned current = 0, pending = 0;
  if (call(nvml.api().mig, device, &current, &pending) == kSuccess) mig = current == nvml::kFeatureEnabled;
  return code;
}

}  // namespace

std::optional<GpuFault> find_gpu_fault(const std::string& node, const std::vector<int>& gpus, bool whole,
                                       const Roots& roots) {
  const auto nvml = Nvml::open(roots.nvml_library);
  if (!nvml.ok()) return std::nullopt;
  const int count = (*nvml)->device_count();
  std::vector<int> absent, sliced;
  std::optional<GpuFault> gone;
  for (const int gpu : gpus) {
    if (gpu < 0 || gpu >= count) {
      absent.push_back(gpu);
      continue;
    }
    bool mig = false;
    const nvml::Return code = ask(**nvml, gpu, mig);
    // Some drivers call one that is off the bus an unknown error.
    if ((nvml::is_lost(code) || code == nvml::kErrorUnknown) && !gone)
      gone = lost(node, gpu, code, (*nvml)->describe(code));
    if (mig) sliced.push_back(gpu);
  }
  if (gone) return gone;
  if (!absent.empty()) return missing(node, count, absent);
  if (whole && !sliced.empty()) return cut(node, sliced);
  return std::nullopt;
}

}  // namespace sxb::metrics
