#include "metrics/nvml.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <numeric>
#include <utility>

namespace sxb::metrics {
namespace {

template <typename Function>
void load(void* handle, const char* name, Function*& function) {
  function = reinterpret_cast<Function*>(dlsym(handle, name));
}

void load_system(void* handle, nvml::Api& api) {
  load(handle, "nvmlInit_v2", api.init);
  load(handle, "nvmlShutdown", api.shutdown);
  load(handle, "nvmlErrorString", api.error_string);
  load(handle, "nvmlSystemGetDriverVersion", api.driver_version);
  load(handle, "nvmlDeviceGetCount_v2", api.device_count);
  load(handle, "nvmlDeviceGetHandleByIndex_v2", api.device_by_index);
}

void load_device(void* handle, nvml::Api& api) {
  load(handle, "nvmlDeviceGetName", api.name);
  load(handle, "nvmlDeviceGetUUID", api.uuid);
  load(handle, "nvmlDeviceGetPciInfo_v3", api.pci_info);
  load(handle, "nvmlDeviceGetMemoryInfo_v2", api.memory_info);
  load(handle, "nvmlDeviceGetUtilizationRates", api.utilization);
  load(handle, "nvmlDeviceGetPowerUsage", api.power_usage);
  load(handle, "nvmlDeviceGetEnforcedPowerLimit", api.power_limit);
  load(handle, "nvmlDeviceGetTotalEnergyConsumption", api.energy);
  load(handle, "nvmlDeviceGetTemperature", api.temperature);
  load(handle, "nvmlDeviceGetClockInfo", api.clock);
  load(handle, "nvmlDeviceGetMaxClockInfo", api.max_clock);
  load(handle, "nvmlDeviceGetCurrentClocksEventReasons", api.clock_reasons);
  if (api.clock_reasons == nullptr) {  // its name before driver 535
    load(handle, "nvmlDeviceGetCurrentClocksThrottleReasons", api.clock_reasons);
  }
  load(handle, "nvmlDeviceGetPersistenceMode", api.persistence);
  load(handle, "nvmlDeviceGetEccMode", api.ecc);
  load(handle, "nvmlDeviceGetMigMode", api.mig);
  load(handle, "nvmlDeviceGetNvLinkState", api.nvlink_state);
  load(handle, "nvmlDeviceGetNvLinkRemotePciInfo_v2", api.nvlink_remote);
  load(handle, "nvmlDeviceGetP2PStatus", api.p2p_status);
  load(handle, "nvmlDeviceGetTopologyCommonAncestor", api.common_ancestor);
  load(handle, "nvmlDeviceGetFieldValues", api.field_values);
  load(handle, "nvmlGpmQueryDeviceSupport", api.gpm_support);
  load(handle, "nvmlGpmSampleAlloc", api.gpm_alloc);
  load(handle, "nvmlGpmSampleFree", api.gpm_free);
  load(handle, "nvmlGpmSampleGet", api.gpm_sample);
  load(handle, "nvmlGpmMetricsGet", api.gpm_metrics);
}

Error unusable(std::string what) {
  return Error{std::move(what), "", "GPU figures need the NVIDIA driver; check that nvidia-smi works here.",
               ExitCode::kEnvironment};
}

}  // namespace

Result<std::shared_ptr<const Nvml>> Nvml::open(const std::string& library) {
  const std::shared_ptr<Nvml> nvml(new Nvml);
  nvml->handle_ = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (nvml->handle_ == nullptr) {
    const char* reason = dlerror();
    return unusable(fmt::format("NVML cannot be loaded: {}", reason == nullptr ? library.c_str() : reason));
  }
  nvml::Api& api = nvml->api_;
  load_system(nvml->handle_, api);
  load_device(nvml->handle_, api);
  if (const nvml::Return code = nvml::call(api.init); code != nvml::kSuccess) {
    return unusable(fmt::format("NVML does not start: {}", nvml->describe(code)));
  }
  nvml->initialised_ = true;
  unsigned count = 0;
  if (const nvml::Return code = nvml::call(api.device_count, &count); code != nvml::kSuccess) {
    return unusable(fmt::format("NVML does not count the GPUs: {}", nvml->describe(code)));
  }
  nvml->device_count_ = static_cast<int>(count);
  return std::shared_ptr<const Nvml>(nvml);
}

Nvml::~Nvml() {
  if (initialised_) nvml::call(api_.shutdown);
  if (handle_ != nullptr) dlclose(handle_);
}

std::string Nvml::describe(nvml::Return code) const {
  const char* text = api_.error_string == nullptr ? nullptr : api_.error_string(code);
  return text == nullptr ? fmt::format("NVML error {}", code) : fmt::format("{} (NVML error {})", text, code);
}

std::string Nvml::driver() const {
  char text[nvml::kTextSize] = {};
  return nvml::call(api_.driver_version, text, nvml::kTextSize) == nvml::kSuccess ? text : "";
}

Result<nvml::Device> Nvml::device(int index) const {
  if (index < 0 || index >= device_count_) {
    return Error{fmt::format("there is no GPU {}: NVML finds {}", index, device_count_), "",
                 "Name GPUs by their nvidia-smi index in the cluster config (nodes[].gpus).",
                 ExitCode::kEnvironment};
  }
  nvml::Device device = nullptr;
  const nvml::Return code = nvml::call(api_.device_by_index, static_cast<unsigned>(index), &device);
  if (code != nvml::kSuccess) return unusable(fmt::format("GPU {} does not open: {}", index, describe(code)));
  return device;
}

std::vector<int> Nvml::indices(const std::vector<int>& wanted) const {
  if (!wanted.empty()) return wanted;
  std::vector<int> all(static_cast<std::size_t>(device_count_));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

std::string clock_reason_names(unsigned long long reasons) {
  static constexpr std::pair<unsigned long long, const char*> kNames[] = {
      {nvml::kReasonGpuIdle, "idle"},
      {nvml::kReasonApplicationsClocks, "app_clocks"},
      {nvml::kReasonSwPowerCap, "sw_power_cap"},
      {nvml::kReasonHwSlowdown, "hw_slowdown"},
      {nvml::kReasonSyncBoost, "sync_boost"},
      {nvml::kReasonSwThermal, "sw_thermal"},
      {nvml::kReasonHwThermal, "hw_thermal"},
      {nvml::kReasonHwPowerBrake, "hw_power_brake"},
      {nvml::kReasonDisplayClock, "display_clock"},
  };
  std::string names;
  for (const auto& [bit, name] : kNames) {
    if ((reasons & bit) == 0) continue;
    if (!names.empty()) names += '|';
    names += name;
    reasons &= ~bit;
  }
  // A newer driver's reason keeps its number, so that it shows instead of looking like none.
  if (reasons != 0) names += fmt::format("{}0x{:x}", names.empty() ? "" : "|", reasons);
  return names;
}

}  // namespace sxb::metrics
