// metrics/nvml_api.h against NVIDIA's nvml.h: compiled only where CMake finds that header.
#include <gtest/gtest.h>
#include <nvml.h>

#include <cstddef>

#include "metrics/nvml_api.h"

namespace sxb::metrics::nvml {
namespace {

static_assert(kSuccess == NVML_SUCCESS);
static_assert(kErrorInvalidArgument == NVML_ERROR_INVALID_ARGUMENT);
static_assert(kErrorNotSupported == NVML_ERROR_NOT_SUPPORTED);
static_assert(kErrorFunctionNotFound == NVML_ERROR_FUNCTION_NOT_FOUND);
static_assert(kErrorGpuIsLost == NVML_ERROR_GPU_IS_LOST);
static_assert(kErrorResetRequired == NVML_ERROR_RESET_REQUIRED);
static_assert(kErrorGpuNotFound == NVML_ERROR_GPU_NOT_FOUND);
static_assert(kErrorUnknown == NVML_ERROR_UNKNOWN);

static_assert(kNvlinkMaxLinks >= NVML_NVLINK_MAX_LINKS);
static_assert(kFeatureEnabled == NVML_FEATURE_ENABLED);
static_assert(kTemperatureGpu == NVML_TEMPERATURE_GPU);
static_assert(kClockSm == NVML_CLOCK_SM && kClockMem == NVML_CLOCK_MEM);
static_assert(kP2pCapsNvlink == NVML_P2P_CAPS_INDEX_NVLINK && kP2pStatusOk == NVML_P2P_STATUS_OK);
static_assert(kTopologyInternal == NVML_TOPOLOGY_INTERNAL && kTopologySingle == NVML_TOPOLOGY_SINGLE);
static_assert(kTopologyMultiple == NVML_TOPOLOGY_MULTIPLE && kTopologyHostBridge == NVML_TOPOLOGY_HOSTBRIDGE);
static_assert(kTopologyNode == NVML_TOPOLOGY_NODE && kTopologySystem == NVML_TOPOLOGY_SYSTEM);

static_assert(kReasonGpuIdle == nvmlClocksEventReasonGpuIdle);
static_assert(kReasonApplicationsClocks == nvmlClocksEventReasonApplicationsClocksSetting);
static_assert(kReasonSwPowerCap == nvmlClocksEventReasonSwPowerCap);
static_assert(kReasonHwSlowdown == nvmlClocksThrottleReasonHwSlowdown);
static_assert(kReasonSyncBoost == nvmlClocksEventReasonSyncBoost);
static_assert(kReasonSwThermal == nvmlClocksEventReasonSwThermalSlowdown);
static_assert(kReasonHwThermal == nvmlClocksThrottleReasonHwThermalSlowdown);
static_assert(kReasonHwPowerBrake == nvmlClocksThrottleReasonHwPowerBrakeSlowdown);
static_assert(kReasonDisplayClock == nvmlClocksEventReasonDisplayClockSetting);

static_assert(kFieldNvlinkDataTx == NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_TX);
static_assert(kFieldPowerInstant == NVML_FI_DEV_POWER_INSTANT);
static_assert(kFieldNvlinkDataRx == NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_RX);
static_assert(kValueDouble == NVML_VALUE_TYPE_DOUBLE && kValueUint == NVML_VALUE_TYPE_UNSIGNED_INT);
static_assert(kValueUlong == NVML_VALUE_TYPE_UNSIGNED_LONG &&
              kValueUlongLong == NVML_VALUE_TYPE_UNSIGNED_LONG_LONG);
static_assert(kGpmSmUtil == NVML_GPM_METRIC_SM_UTIL && kGpmDramBwUtil == NVML_GPM_METRIC_DRAM_BW_UTIL);
static_assert(kGpmAnyTensorUtil == NVML_GPM_METRIC_ANY_TENSOR_UTIL);
static_assert(kGpmMetricsGetVersion == NVML_GPM_METRICS_GET_VERSION);
static_assert(kGpmSupportVersion == NVML_GPM_SUPPORT_VERSION);
static_assert(kTextSize >= NVML_DEVICE_NAME_V2_BUFFER_SIZE && kTextSize >= NVML_DEVICE_UUID_V2_BUFFER_SIZE);
static_assert(kTextSize >= NVML_SYSTEM_DRIVER_VERSION_BUFFER_SIZE);
static_assert(kMemoryV2Version == nvmlMemory_v2);

#define SXB_SAME_SIZE(ours, theirs) static_assert(sizeof(ours) == sizeof(theirs))
#define SXB_SAME_OFFSET(ours, field, theirs, their_field) \
  static_assert(offsetof(ours, field) == offsetof(theirs, their_field))

SXB_SAME_SIZE(PciInfo, nvmlPciInfo_t);
SXB_SAME_OFFSET(PciInfo, domain, nvmlPciInfo_t, domain);
SXB_SAME_OFFSET(PciInfo, bus, nvmlPciInfo_t, bus);
SXB_SAME_OFFSET(PciInfo, device, nvmlPciInfo_t, device);
SXB_SAME_OFFSET(PciInfo, bus_id, nvmlPciInfo_t, busId);
SXB_SAME_SIZE(Utilization, nvmlUtilization_t);
SXB_SAME_OFFSET(Utilization, gpu, nvmlUtilization_t, gpu);
SXB_SAME_SIZE(MemoryV2, nvmlMemory_v2_t);
SXB_SAME_OFFSET(MemoryV2, total, nvmlMemory_v2_t, total);
SXB_SAME_OFFSET(MemoryV2, used, nvmlMemory_v2_t, used);
SXB_SAME_SIZE(FieldValue, nvmlFieldValue_t);
SXB_SAME_OFFSET(FieldValue, field_id, nvmlFieldValue_t, fieldId);
SXB_SAME_OFFSET(FieldValue, scope_id, nvmlFieldValue_t, scopeId);
SXB_SAME_OFFSET(FieldValue, value_type, nvmlFieldValue_t, valueType);
SXB_SAME_OFFSET(FieldValue, result, nvmlFieldValue_t, nvmlReturn);
SXB_SAME_OFFSET(FieldValue, value, nvmlFieldValue_t, value);
SXB_SAME_SIZE(GpmMetric, nvmlGpmMetric_t);
SXB_SAME_OFFSET(GpmMetric, metric_id, nvmlGpmMetric_t, metricId);
SXB_SAME_OFFSET(GpmMetric, result, nvmlGpmMetric_t, nvmlReturn);
SXB_SAME_OFFSET(GpmMetric, value, nvmlGpmMetric_t, value);
SXB_SAME_OFFSET(GpmMetricsGet, version, nvmlGpmMetricsGet_t, version);
SXB_SAME_OFFSET(GpmMetricsGet, num_metrics, nvmlGpmMetricsGet_t, numMetrics);
SXB_SAME_OFFSET(GpmMetricsGet, sample1, nvmlGpmMetricsGet_t, sample1);
SXB_SAME_OFFSET(GpmMetricsGet, sample2, nvmlGpmMetricsGet_t, sample2);
SXB_SAME_OFFSET(GpmMetricsGet, metrics, nvmlGpmMetricsGet_t, metrics);
SXB_SAME_SIZE(GpmSupport, nvmlGpmSupport_t);
SXB_SAME_OFFSET(GpmSupport, is_supported, nvmlGpmSupport_t, isSupportedDevice);

TEST(NvmlLayout, HeaderIsOfTheVersionTheTableNames) { EXPECT_EQ(NVML_API_VERSION, 13); }

}  // namespace
}  // namespace sxb::metrics::nvml
