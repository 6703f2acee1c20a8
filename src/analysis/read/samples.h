// The samplers' files of one task: RUN/samples/<task>-<node>.jsonl. Only what lies inside the `window`
// records of the task and node counts in a figure.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "analysis/read/dataset.h"
#include "analysis/read/phase_spans.h"
#include "analysis/read/sample_reader.h"

namespace sxb::analysis {

struct GpuSample {
  std::int64_t mono_ns = 0;
  std::int64_t wall_ns = 0;
  bool in_window = false;
  std::array<std::optional<double>, kGpuMetrics> values;  ///< absent = missing
  std::optional<std::string> throttle;                    ///< reasons joined by "|", "" = none
  const std::optional<double>& operator[](GpuMetric m) const { return values[static_cast<std::size_t>(m)]; }
};

/// One GPU over the measured window. Means are over samples; a figure without samples is absent.
struct GpuUse {
  std::string node;
  int gpu = -1;
  std::size_t samples = 0;  ///< inside the window
  std::optional<double> util_pct, sm_active_pct, tensor_active_pct, dram_active_pct;
  std::optional<double> power_w, power_max_w;
  std::optional<double>
      energy_power_w;            ///< from the energy counter: joules between first and last sample / time
  std::optional<double> sm_mhz;  ///< median
  std::optional<double> temp_max_c, memory_max_bytes;
  std::optional<double> nvlink_tx_gBps, nvlink_rx_gBps;
  std::map<std::string, double> throttle;  ///< reason -> share of the samples that say anything on it
  std::vector<GpuSample> thinned;          ///< every `stride`-th sample, also outside the window
  std::size_t stride = 1;
  PhaseActivities phases;              ///< from the samples that describe one phase of a measured step
  std::optional<double> power_span_s;  ///< time that a power reading in `phases` describes
  std::optional<double> tick_s;        ///< median time between two samples
  std::optional<double> gpm_s;         ///< median time between two samples with GPM figures
};

/// Bytes through one interface or RDMA adapter over the window.
struct NicUse {
  std::string node, name;
  std::optional<double> tx_gBps, rx_gBps;            ///< mean over the window
  std::optional<double> tx_peak_gBps, rx_peak_gBps;  ///< highest mean over half a second inside it
};

struct HostUse {
  std::string node;
  std::optional<double> cpu_pct, memory_max_bytes;
};

struct MissingSource {
  std::string node, name, reason;
};

/// Evidence: a samples file and how many of its lines were readable and inside the window.
struct SampleFile {
  std::string name;  ///< relative to the run folder
  std::size_t lines = 0, in_window = 0;
};

struct TaskSamples {
  std::vector<GpuUse> gpus;
  std::vector<NicUse> nics;
  std::vector<HostUse> hosts;
  std::vector<MissingSource> missing;
  std::vector<SampleFile> files;
  double window_s = 0;  ///< longest window of the task, 0 = none recorded
};

/// Reads the files of all nodes of `task`. A file that is absent, and lines that are cut off, are
/// simply not there. At most about `rows_per_gpu` samples a GPU are kept in `thinned`. `window`: only those
/// of this name count; empty = all.
TaskSamples load_samples(const std::filesystem::path& run_folder, const TaskData& task,
                         std::size_t rows_per_gpu, const std::string& window = "");

}  // namespace sxb::analysis
