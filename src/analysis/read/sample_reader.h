// Lines of a samples file, one at a time: a large run has a hundred million of them, so no file is held
// whole and no tree of JSON values is built.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace sxb::analysis {

/// Fields of a GPU sample that are numbers, as columns of gpu_metrics.csv.
enum class GpuMetric {
  kUtil,
  kMemoryUsed,
  kPower,
  kEnergy,
  kTemperature,
  kSmClock,
  kMemoryClock,
  kNvlinkTx,
  kNvlinkRx,
  kSmActive,
  kTensorActive,
  kDramActive,
  kPowerInstant,
  kCount
};
inline constexpr std::size_t kGpuMetrics = static_cast<std::size_t>(GpuMetric::kCount);
/// Its name in the table of fields.
const char* field_name(GpuMetric metric);

/// One sample. A number that the line lacks is NaN, which JSON cannot say; a text is empty.
struct SampleLine {
  std::string source, name, reason;
  std::optional<std::string> throttle;  ///< "" says that nothing throttles
  std::int64_t mono_ns = 0, wall_ns = 0;
  std::int64_t index = -1;
  std::array<double, kGpuMetrics> values;
  double cpu_pct, tx_bytes, rx_bytes;

  SampleLine() { clear(); }
  void clear();
  double operator[](GpuMetric metric) const { return values[static_cast<std::size_t>(metric)]; }
};

/// Hands each readable line to `take`; one that is cut off or no sample is passed over. False: the file
/// cannot be read.
bool read_samples(const std::filesystem::path& path, const std::function<void(const SampleLine&)>& take);

}  // namespace sxb::analysis
