// The part of NVIDIA's management library (NVML) that sxbench calls: functions, struct layouts and
// constants, declared here so that the core builds without a CUDA toolkit. Values as in nvml.h of NVML
// API version 13 (CUDA 13.0); tests/metrics/nvml_layout_test.cpp compares them with that header.
#pragma once

#include <cstdint>

namespace sxb::metrics::nvml {

using Return = int;
inline constexpr Return kSuccess = 0;
inline constexpr Return kErrorInvalidArgument = 2;
inline constexpr Return kErrorNotSupported = 3;
inline constexpr Return kErrorFunctionNotFound = 13;
inline constexpr Return kErrorGpuIsLost = 15;
inline constexpr Return kErrorResetRequired = 16;
inline constexpr Return kErrorGpuNotFound = 28;
inline constexpr Return kErrorUnknown = 999;

/// After these the device does not answer again until somebody resets it or the machine.
inline bool is_lost(Return code) {
  return code == kErrorGpuIsLost || code == kErrorResetRequired || code == kErrorGpuNotFound;
}

struct DeviceHandle;
using Device = DeviceHandle*;
struct GpmSampleHandle;
using GpmSample = GpmSampleHandle*;

inline constexpr unsigned kNvlinkMaxLinks = 18;
inline constexpr unsigned kFeatureEnabled = 1;
inline constexpr int kTemperatureGpu = 0;
inline constexpr int kClockSm = 1;
inline constexpr int kClockMem = 2;
inline constexpr int kP2pCapsNvlink = 2;
inline constexpr int kP2pStatusOk = 0;

/// Levels of nvmlDeviceGetTopologyCommonAncestor.
inline constexpr int kTopologyInternal = 0;
inline constexpr int kTopologySingle = 10;      ///< one PCIe switch: PIX
inline constexpr int kTopologyMultiple = 20;    ///< several PCIe switches: PXB
inline constexpr int kTopologyHostBridge = 30;  ///< one host bridge: PHB
inline constexpr int kTopologyNode = 40;        ///< one NUMA node: NODE
inline constexpr int kTopologySystem = 50;      ///< between NUMA nodes: SYS

/// Bits of nvmlDeviceGetCurrentClocksEventReasons.
inline constexpr unsigned long long kReasonGpuIdle = 0x1;
inline constexpr unsigned long long kReasonApplicationsClocks = 0x2;
inline constexpr unsigned long long kReasonSwPowerCap = 0x4;
inline constexpr unsigned long long kReasonHwSlowdown = 0x8;
inline constexpr unsigned long long kReasonSyncBoost = 0x10;
inline constexpr unsigned long long kReasonSwThermal = 0x20;
inline constexpr unsigned long long kReasonHwThermal = 0x40;
inline constexpr unsigned long long kReasonHwPowerBrake = 0x80;
inline constexpr unsigned long long kReasonDisplayClock = 0x100;

/// Fields of nvmlDeviceGetFieldValues. Power: mW, scope 0 = the GPU with its memory. NVLink: KiB, scope
/// kAllLinks sums over the links.
inline constexpr unsigned kFieldPowerInstant = 186;
inline constexpr unsigned kFieldNvlinkDataTx = 138;
inline constexpr unsigned kFieldNvlinkDataRx = 139;
inline constexpr unsigned kAllLinks = 0xFFFFFFFFU;

/// GPM metrics; all three are percentages, 0 to 100.
inline constexpr unsigned kGpmSmUtil = 2;
inline constexpr unsigned kGpmAnyTensorUtil = 5;
inline constexpr unsigned kGpmDramBwUtil = 10;
inline constexpr unsigned kGpmMetricMax = 210;
inline constexpr unsigned kGpmMetricsGetVersion = 1;
inline constexpr unsigned kGpmSupportVersion = 1;

/// Length of the buffers for names, UUIDs and versions: the longest that NVML asks for is 96.
inline constexpr unsigned kTextSize = 96;

struct PciInfo {
  char bus_id_legacy[16];
  unsigned domain;
  unsigned bus;
  unsigned device;
  unsigned pci_device_id;
  unsigned pci_subsystem_id;
  char bus_id[32];
};

struct Utilization {
  unsigned gpu;  ///< percent of the past sample period (1/6 to 1 s) in which any kernel ran
  unsigned memory;
};

/// nvmlMemory_v2_t; unlike version 1, `used` leaves out what the driver reserves.
struct MemoryV2 {
  unsigned version;
  unsigned long long total;
  unsigned long long reserved;
  unsigned long long free;
  unsigned long long used;
};
/// NVML_STRUCT_VERSION: the size of the struct with the version in the top byte.
inline constexpr unsigned kMemoryV2Version = static_cast<unsigned>(sizeof(MemoryV2)) | (2U << 24U);

struct FieldValue {
  unsigned field_id;
  unsigned scope_id;
  long long timestamp_us;
  long long latency_us;
  unsigned value_type;
  Return result;
  union {
    double f64;
    unsigned u32;
    unsigned long long u64;
  } value;
};
/// nvmlValueType_t: which member of FieldValue::value holds the figure.
inline constexpr unsigned kValueDouble = 0;
inline constexpr unsigned kValueUint = 1;
inline constexpr unsigned kValueUlong = 2;
inline constexpr unsigned kValueUlongLong = 3;

struct GpmMetric {
  unsigned metric_id;
  Return result;
  double value;
  struct {
    char* short_name;
    char* long_name;
    char* unit;
  } info;
};

struct GpmMetricsGet {
  unsigned version;
  unsigned num_metrics;
  GpmSample sample1;  ///< the earlier one
  GpmSample sample2;
  GpmMetric metrics[kGpmMetricMax];
};

struct GpmSupport {
  unsigned version;
  unsigned is_supported;
};

/// The functions; a null pointer means that the loaded library does not have it.
struct Api {
  Return (*init)() = nullptr;
  Return (*shutdown)() = nullptr;
  const char* (*error_string)(Return) = nullptr;
  Return (*driver_version)(char*, unsigned) = nullptr;
  Return (*device_count)(unsigned*) = nullptr;
  Return (*device_by_index)(unsigned, Device*) = nullptr;
  Return (*name)(Device, char*, unsigned) = nullptr;
  Return (*uuid)(Device, char*, unsigned) = nullptr;
  Return (*pci_info)(Device, PciInfo*) = nullptr;
  Return (*memory_info)(Device, MemoryV2*) = nullptr;
  Return (*utilization)(Device, Utilization*) = nullptr;
  Return (*power_usage)(Device, unsigned*) = nullptr;       ///< mW
  Return (*power_limit)(Device, unsigned*) = nullptr;       ///< mW
  Return (*energy)(Device, unsigned long long*) = nullptr;  ///< mJ since the driver was loaded
  Return (*temperature)(Device, int, unsigned*) = nullptr;  ///< degrees Celsius
  Return (*clock)(Device, int, unsigned*) = nullptr;        ///< MHz
  Return (*max_clock)(Device, int, unsigned*) = nullptr;    ///< MHz
  Return (*clock_reasons)(Device, unsigned long long*) = nullptr;
  Return (*persistence)(Device, unsigned*) = nullptr;
  Return (*ecc)(Device, unsigned* current, unsigned* pending) = nullptr;
  Return (*mig)(Device, unsigned* current, unsigned* pending) = nullptr;
  Return (*nvlink_state)(Device, unsigned link, unsigned* active) = nullptr;
  Return (*nvlink_remote)(Device, unsigned link, PciInfo*) = nullptr;
  Return (*p2p_status)(Device, Device, int caps, int* status) = nullptr;
  Return (*common_ancestor)(Device, Device, int* level) = nullptr;
  Return (*field_values)(Device, int count, FieldValue*) = nullptr;
  Return (*gpm_support)(Device, GpmSupport*) = nullptr;
  Return (*gpm_alloc)(GpmSample*) = nullptr;
  Return (*gpm_free)(GpmSample) = nullptr;
  Return (*gpm_sample)(Device, GpmSample) = nullptr;
  Return (*gpm_metrics)(GpmMetricsGet*) = nullptr;
};

/// `function(args...)`, or kErrorFunctionNotFound where the library lacks it.
template <typename... Params, typename... Args>
Return call(Return (*function)(Params...), Args... args) {
  return function == nullptr ? kErrorFunctionNotFound : function(args...);
}

}  // namespace sxb::metrics::nvml
