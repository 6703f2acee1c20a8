// A stand-in for libnvidia-ml.so.1 that answers from a script. GPU i draws 100+i W at its first reading
// and 1 W more at each later one.
#include "fake_nvml.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "metrics/nvml_api.h"

namespace nvml = sxb::metrics::nvml;
using nvml::Device;
using nvml::Return;

namespace {

sxb::metrics::fake::Script script;
char devices[sxb::metrics::fake::kMaxGpus];

Device handle(int index) { return reinterpret_cast<Device>(&devices[index]); }
int index_of(Device device) { return static_cast<int>(reinterpret_cast<char*>(device) - devices); }

bool lost(Device device) {
  const int index = index_of(device);
  return index == script.lose_gpu && script.power_reads[index] >= script.lose_after_reads;
}

template <typename T>
Return answer(Device device, T* out, T value) {
  if (lost(device)) return script.lost_result;
  *out = value;
  return nvml::kSuccess;
}

void read_environment() {
  const char* text = std::getenv("SXB_FAKE_NVML");
  int gpus = 0, lose = -1, after = 0;
  if (text == nullptr || std::sscanf(text, "%d:%d:%d", &gpus, &lose, &after) < 1) return;
  script.gpus = gpus;
  script.lose_gpu = lose;
  script.lose_after_reads = after;
}

}  // namespace

extern "C" {

sxb::metrics::fake::Script* fake_nvml_script() { return &script; }

Return nvmlInit_v2() {
  read_environment();
  if (script.init_result == 0) ++script.sessions;
  return script.init_result;
}
Return nvmlShutdown() {
  --script.sessions;
  return nvml::kSuccess;
}
const char* nvmlErrorString(Return code) {
  switch (code) {
    case nvml::kErrorNotSupported:
      return "Not Supported";
    case nvml::kErrorGpuIsLost:
      return "GPU is lost";
    case 9:
      return "Driver Not Loaded";
    default:
      return "Unknown Error";
  }
}
Return nvmlSystemGetDriverVersion(char* text, unsigned size) {
  std::snprintf(text, size, "580.00.01");
  return nvml::kSuccess;
}
Return nvmlDeviceGetCount_v2(unsigned* count) {
  *count = static_cast<unsigned>(script.gpus.load());
  return nvml::kSuccess;
}
Return nvmlDeviceGetHandleByIndex_v2(unsigned index, Device* device) {
  if (static_cast<int>(index) == script.refuse_gpu) return script.lost_result;
  *device = handle(static_cast<int>(index));
  return nvml::kSuccess;
}
Return nvmlDeviceGetName(Device, char* text, unsigned size) {
  std::snprintf(text, size, "Fake H200");
  return nvml::kSuccess;
}
Return nvmlDeviceGetUUID(Device device, char* text, unsigned size) {
  std::snprintf(text, size, "GPU-%d", index_of(device));
  return nvml::kSuccess;
}
Return nvmlDeviceGetPciInfo_v3(Device device, nvml::PciInfo* pci) {
  *pci = {};
  pci->bus = 0x19U + static_cast<unsigned>(index_of(device));
  return nvml::kSuccess;
}
Return nvmlDeviceGetMemoryInfo_v2(Device device, nvml::MemoryV2* memory) {
  if (memory->version != (sizeof(nvml::MemoryV2) | 2U << 24U)) return nvml::kErrorInvalidArgument;
  memory->total = 150'000'000'000ULL;
  return answer(device, &memory->used, 7'000'000'000ULL);
}
Return nvmlDeviceGetUtilizationRates(Device device, nvml::Utilization* use) {
  return answer(device, use, nvml::Utilization{97, 40});
}
Return nvmlDeviceGetPowerUsage(Device device, unsigned* milliwatt) {
  const int index = index_of(device);
  const Return code =
      answer(device, milliwatt, static_cast<unsigned>(100 + index + script.power_reads[index]) * 1000U);
  ++script.power_reads[index];
  return code;
}
Return nvmlDeviceGetEnforcedPowerLimit(Device device, unsigned* milliwatt) {
  return answer(device, milliwatt, 700'000U);
}
Return nvmlDeviceGetTotalEnergyConsumption(Device device, unsigned long long* millijoule) {
  ++script.energy_reads;
  return answer(device, millijoule, 123'456'789'012ULL);
}
Return nvmlDeviceGetTemperature(Device device, int, unsigned* celsius) {
  if (script.temperature_result != 0) return script.temperature_result;
  return answer(device, celsius, 54U);
}
Return nvmlDeviceGetClockInfo(Device device, int clock, unsigned* mhz) {
  return answer(device, mhz, clock == nvml::kClockSm ? 1455U : 3201U);
}
Return nvmlDeviceGetMaxClockInfo(Device device, int, unsigned* mhz) { return answer(device, mhz, 1980U); }
Return nvmlDeviceGetCurrentClocksEventReasons(Device device, unsigned long long* reasons) {
  return answer(device, reasons, script.reasons.load());
}
Return nvmlDeviceGetPersistenceMode(Device device, unsigned* mode) { return answer(device, mode, 1U); }
Return nvmlDeviceGetEccMode(Device device, unsigned* current, unsigned* pending) {
  *pending = 0;
  return answer(device, current, 1U);
}
Return nvmlDeviceGetMigMode(Device device, unsigned* current, unsigned* pending) {
  if (script.mig < 0) return nvml::kErrorFunctionNotFound;  // as where a library lacks it
  *pending = 0;
  return answer(device, current, static_cast<unsigned>(script.mig));
}

Return nvmlDeviceGetNvLinkState(Device device, unsigned link, unsigned* active) {
  if (script.nvlinks == 0 || link >= 6) return nvml::kErrorNotSupported;
  return answer(device, active, static_cast<int>(link) < script.nvlinks ? 1U : 0U);
}
Return nvmlDeviceGetNvLinkRemotePciInfo_v2(Device device, unsigned, nvml::PciInfo* pci) {
  *pci = {};
  pci->bus = script.nvswitch ? 0xC0U : 0x19U + static_cast<unsigned>(index_of(device) ^ 1);
  return nvml::kSuccess;
}
Return nvmlDeviceGetP2PStatus(Device a, Device, int caps, int* status) {
  const bool linked = script.nvlinks > 0 && script.nvswitch && caps == nvml::kP2pCapsNvlink;
  return answer(a, status, linked ? nvml::kP2pStatusOk : 5);
}
Return nvmlDeviceGetTopologyCommonAncestor(Device a, Device b, int* level) {
  return answer(a, level, index_of(a) / 2 == index_of(b) / 2 ? nvml::kTopologySingle : nvml::kTopologySystem);
}
Return nvmlDeviceGetFieldValues(Device device, int count, nvml::FieldValue* values) {
  if (lost(device)) return nvml::kErrorGpuIsLost;
  for (int i = 0; i < count; ++i) {
    if (values[i].field_id == nvml::kFieldPowerInstant) {
      values[i].result = script.power_instant_result;
      values[i].value_type = nvml::kValueUint;
      values[i].value.u32 = 650500;
      continue;
    }
    values[i].result =
        script.nvlinks > 0 && values[i].scope_id == nvml::kAllLinks ? 0 : nvml::kErrorNotSupported;
    values[i].value_type = nvml::kValueUlongLong;
    values[i].value.u64 = values[i].field_id == nvml::kFieldNvlinkDataTx ? 1000 : 2000;
  }
  return nvml::kSuccess;
}

Return nvmlGpmQueryDeviceSupport(Device, nvml::GpmSupport* support) {
  support->is_supported = script.gpm ? 1 : 0;
  return nvml::kSuccess;
}
Return nvmlGpmSampleAlloc(nvml::GpmSample* sample) {
  *sample = reinterpret_cast<nvml::GpmSample>(new int(0));
  ++script.open_samples;
  return nvml::kSuccess;
}
Return nvmlGpmSampleFree(nvml::GpmSample sample) {
  delete reinterpret_cast<int*>(sample);
  --script.open_samples;
  return nvml::kSuccess;
}
// A sample holds its serial number; metrics are given only for an earlier and a later one, in that order.
Return nvmlGpmSampleGet(Device device, nvml::GpmSample sample) {
  static std::atomic<int> serial{0};
  return answer(device, reinterpret_cast<int*>(sample), ++serial);
}
Return nvmlGpmMetricsGet(nvml::GpmMetricsGet* get) {
  const auto serial = [](nvml::GpmSample sample) { return *reinterpret_cast<int*>(sample); };
  if (get->version != 1 || serial(get->sample1) == 0 || serial(get->sample1) >= serial(get->sample2)) {
    return nvml::kErrorInvalidArgument;
  }
  for (unsigned i = 0; i < get->num_metrics; ++i) {
    nvml::GpmMetric& metric = get->metrics[i];
    metric.result = metric.metric_id == nvml::kGpmAnyTensorUtil ? script.gpm_tensor_result.load() : 0;
    metric.value = 10.0 * metric.metric_id + 0.5;
    if (script.gpm_empty) metric.value = metric.metric_id == nvml::kGpmDramBwUtil ? std::nan("") : 0.0;
  }
  return nvml::kSuccess;
}

}  // extern "C"
