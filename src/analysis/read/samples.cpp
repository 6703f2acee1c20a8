#include "analysis/read/samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <set>

#include "analysis/read/counter_rate.h"
#include "base/parallel.h"
#include "base/text.h"
#include "stats/stats.h"

namespace sxb::analysis {
namespace {

/// Measured intervals of one node, on its monotonic clock.
struct Windows {
  std::vector<std::pair<std::int64_t, std::int64_t>> intervals;
  bool contains(std::int64_t mono_ns) const {
    return std::any_of(intervals.begin(), intervals.end(), [&](const auto& interval) {
      return interval.first <= mono_ns && mono_ns <= interval.second;
    });
  }
  double seconds() const {
    double sum = 0;
    for (const auto& [begin, end] : intervals) sum += static_cast<double>(end - begin) * 1e-9;
    return sum;
  }
};

Windows windows_of(const TaskData& task, const std::string& node, const std::string& name) {
  Windows windows;
  for (const auto& entry : task.of<record::Window>()) {
    if (entry.node != node || (!name.empty() && entry.data.name != name)) continue;
    const auto& begin = entry.data.begin_ns;
    const auto& end = entry.data.end_ns;
    if (begin && end && *begin <= *end) windows.intervals.emplace_back(*begin, *end);
  }
  return windows;
}

std::optional<double> scaled(std::optional<double> value, double factor) {
  return value ? std::optional(*value * factor) : std::nullopt;
}

std::optional<double> mean_of(const std::vector<double>& values) {
  return values.empty() ? std::nullopt : std::optional(stats::mean(values));
}
std::optional<double> max_of(const std::vector<double>& values) {
  return values.empty() ? std::nullopt : std::optional(*std::max_element(values.begin(), values.end()));
}
std::optional<double> median_of(const std::vector<double>& values) {
  return values.empty() ? std::nullopt : std::optional(stats::median(values));
}

/// The samples of one GPU, by columns; what a sample lacks is NaN.
struct GpuSeries {
  std::vector<std::int64_t> mono_ns, wall_ns;
  std::vector<std::uint8_t> in_window;
  std::vector<std::uint32_t> throttle;  ///< index into NodeSamples::throttles
  std::array<std::vector<double>, kGpuMetrics> values;

  std::size_t size() const { return mono_ns.size(); }
  const std::vector<double>& operator[](GpuMetric metric) const {
    return values[static_cast<std::size_t>(metric)];
  }
  bool has_gpm(std::size_t i) const {
    return !std::isnan((*this)[GpuMetric::kSmActive][i]) ||
           !std::isnan((*this)[GpuMetric::kTensorActive][i]) ||
           !std::isnan((*this)[GpuMetric::kDramActive][i]);
  }
};

/// Everything read from one file, before it is summed up.
struct NodeSamples {
  std::map<int, GpuSeries> gpus;
  std::vector<std::optional<std::string>> throttles = {std::nullopt};  ///< the different ones, few
  std::map<std::string, std::pair<CounterRate, CounterRate>> nics;     ///< tx, rx
  std::vector<double> cpu_pct, memory;
  bool host = false;
};

/// Those in the window that are there.
std::vector<double> column(const GpuSeries& samples, GpuMetric metric) {
  std::vector<double> values;
  values.reserve(samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const double value = samples[metric][i];
    if (samples.in_window[i] && !std::isnan(value)) values.push_back(value);
  }
  return values;
}

/// NaN says that it is missing.
std::optional<double> reading(double value) {
  return std::isnan(value) ? std::nullopt : std::optional(value);
}

/// Between the first and the last reading in the window.
std::optional<double> rate(const GpuSeries& samples, GpuMetric metric) {
  const auto counts = [&](std::size_t i) { return samples.in_window[i] && !std::isnan(samples[metric][i]); };
  std::size_t first = 0, end = samples.size();
  while (first < end && !counts(first)) ++first;
  while (end > first && !counts(end - 1)) --end;
  if (first == end) return std::nullopt;
  CounterRate rate;
  rate.add(samples.mono_ns[first], samples[metric][first]);
  rate.add(samples.mono_ns[end - 1], samples[metric][end - 1]);
  return rate.per_second();
}

std::map<std::string, double> throttle_shares(const GpuSeries& samples,
                                              const std::vector<std::optional<std::string>>& throttles) {
  std::vector<double> counts(throttles.size());
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (samples.in_window[i]) counts[samples.throttle[i]] += 1;
  }
  std::map<std::string, double> shares;
  double said = 0;
  for (std::size_t i = 0; i < throttles.size(); ++i) {
    if (!throttles[i] || counts[i] == 0) continue;
    said += counts[i];
    if (throttles[i]->empty()) continue;
    for (const std::string& reason : split(*throttles[i], '|')) shares[reason] += counts[i];
  }
  for (auto& [reason, count] : shares) count /= said;
  return shares;
}

/// The time that a power reading describes: power_w is a mean over the last second; power_instant_w is
/// refreshed about every 100 ms from some 25 ms of measurement (Ampere to Hopper).
constexpr std::int64_t kPowerMeanNs = 1'000'000'000;
constexpr std::int64_t kPowerInstantNs = 125'000'000;

/// GPM figures describe the time since the last sample that has them.
void attribute(const GpuSeries& samples, const PhaseSpans& spans, GpuUse& use) {
  const std::vector<double>& readings = samples[GpuMetric::kPowerInstant];
  const bool instant =
      std::any_of(readings.begin(), readings.end(), [](double value) { return !std::isnan(value); });
  const std::int64_t power_ns = instant ? kPowerInstantNs : kPowerMeanNs;
  use.power_span_s = static_cast<double>(power_ns) * 1e-9;
  const auto add = [&](std::optional<Phase> phase, double value, Tally PhaseActivity::*tally) {
    if (phase && !std::isnan(value)) (use.phases[static_cast<std::size_t>(*phase)].*tally).add(value);
  };
  std::optional<std::int64_t> last_gpm;
  std::size_t near_power = 0, near_gpm = 0;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const std::int64_t now = samples.mono_ns[i];
    const double power = samples[instant ? GpuMetric::kPowerInstant : GpuMetric::kPower][i];
    add(spans.phase_of(now - power_ns, now, near_power), power, &PhaseActivity::power_w);
    if (!samples.has_gpm(i)) continue;
    if (last_gpm) {
      const auto phase = spans.phase_of(*last_gpm, now, near_gpm);
      add(phase, samples[GpuMetric::kSmActive][i], &PhaseActivity::sm_active_pct);
      add(phase, samples[GpuMetric::kTensorActive][i], &PhaseActivity::tensor_active_pct);
      add(phase, samples[GpuMetric::kDramActive][i], &PhaseActivity::dram_active_pct);
    }
    last_gpm = now;
  }
}

/// Median time between those of the samples that `counts` takes.
template <typename Counts>
std::optional<double> median_gap_s(const GpuSeries& samples, const Counts& counts) {
  std::vector<double> gaps;
  gaps.reserve(samples.size());
  std::optional<std::int64_t> last;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (!counts(i)) continue;
    if (last) gaps.push_back(static_cast<double>(samples.mono_ns[i] - *last) * 1e-9);
    last = samples.mono_ns[i];
  }
  return median_of(gaps);
}

GpuSample sample_at(const GpuSeries& samples, std::size_t i,
                    const std::vector<std::optional<std::string>>& throttles) {
  GpuSample sample = {samples.mono_ns[i], samples.wall_ns[i], samples.in_window[i] != 0, {}, {}};
  for (std::size_t metric = 0; metric < kGpuMetrics; ++metric) {
    const double value = samples.values[metric][i];
    if (!std::isnan(value)) sample.values[metric] = value;
  }
  sample.throttle = throttles[samples.throttle[i]];
  return sample;
}

GpuUse summarize(const std::string& node, int gpu, const GpuSeries& samples,
                 const std::vector<std::optional<std::string>>& throttles, const PhaseSpans& spans,
                 std::size_t rows_per_gpu) {
  GpuUse use;
  use.node = node;
  use.gpu = gpu;
  use.samples = static_cast<std::size_t>(std::count(samples.in_window.begin(), samples.in_window.end(), 1));
  use.util_pct = mean_of(column(samples, GpuMetric::kUtil));
  use.sm_active_pct = mean_of(column(samples, GpuMetric::kSmActive));
  use.tensor_active_pct = mean_of(column(samples, GpuMetric::kTensorActive));
  use.dram_active_pct = mean_of(column(samples, GpuMetric::kDramActive));
  use.power_w = mean_of(column(samples, GpuMetric::kPower));
  use.power_max_w = max_of(column(samples, GpuMetric::kPower));
  use.energy_power_w = scaled(rate(samples, GpuMetric::kEnergy), 1e-3);
  use.sm_mhz = median_of(column(samples, GpuMetric::kSmClock));
  use.temp_max_c = max_of(column(samples, GpuMetric::kTemperature));
  use.memory_max_bytes = max_of(column(samples, GpuMetric::kMemoryUsed));
  use.nvlink_tx_gBps = scaled(rate(samples, GpuMetric::kNvlinkTx), 1e-9);
  use.nvlink_rx_gBps = scaled(rate(samples, GpuMetric::kNvlinkRx), 1e-9);
  use.throttle = throttle_shares(samples, throttles);
  attribute(samples, spans, use);
  use.tick_s = median_gap_s(samples, [](std::size_t) { return true; });
  use.gpm_s = median_gap_s(samples, [&](std::size_t i) { return samples.has_gpm(i); });
  use.stride = std::max<std::size_t>(1, (samples.size() + rows_per_gpu - 1) / rows_per_gpu);
  for (std::size_t i = 0; i < samples.size(); i += use.stride) {
    use.thinned.push_back(sample_at(samples, i, throttles));
  }
  return use;
}

/// Where the text of a sample is in `throttles`; it is added if it is new.
std::uint32_t throttle_index(const SampleLine& line, std::vector<std::optional<std::string>>& throttles) {
  if (!line.throttle) return 0;
  const auto found = std::find(throttles.begin() + 1, throttles.end(), line.throttle) - throttles.begin();
  if (static_cast<std::size_t>(found) == throttles.size()) throttles.push_back(line.throttle);
  return static_cast<std::uint32_t>(found);
}

void take_gpu(const SampleLine& line, bool in_window, NodeSamples& out) {
  GpuSeries& series = out.gpus[static_cast<int>(line.index)];
  series.mono_ns.push_back(line.mono_ns);
  series.wall_ns.push_back(line.wall_ns);
  series.in_window.push_back(in_window ? 1 : 0);
  series.throttle.push_back(throttle_index(line, out.throttles));
  for (std::size_t i = 0; i < kGpuMetrics; ++i) series.values[i].push_back(line.values[i]);
}

void take_line(const SampleLine& line, const std::string& node, const Windows& windows, NodeSamples& out,
               SampleFile& file, std::vector<MissingSource>& missing) {
  const bool in_window = windows.contains(line.mono_ns);
  if (line.source == "missing") {
    missing.push_back({node, line.name, line.reason});
    return;
  }
  file.in_window += in_window ? 1 : 0;
  if (line.source == "gpu") take_gpu(line, in_window, out);
  out.host = out.host || line.source == "host";
  if (!in_window) return;
  if (line.source == "host") {
    if (!std::isnan(line.cpu_pct)) out.cpu_pct.push_back(line.cpu_pct);
    if (!std::isnan(line[GpuMetric::kMemoryUsed])) out.memory.push_back(line[GpuMetric::kMemoryUsed]);
  }
  if (line.source == "nic" || line.source == "rdma") {
    auto& [tx, rx] = out.nics[line.name];
    tx.add(line.mono_ns, reading(line.tx_bytes));
    rx.add(line.mono_ns, reading(line.rx_bytes));
  }
}

std::set<std::string> nodes_of(const TaskData& task) {
  std::set<std::string> nodes;
  for (const auto& [kind, entries] : task.kinds) {
    for (const Entry& entry : entries) {
      if (!entry.record.node.empty()) nodes.insert(entry.record.node);
    }
  }
  return nodes;
}

void load_node(const std::filesystem::path& run_folder, const TaskData& task, const TaskPhases& phases,
               const std::string& node, std::size_t rows_per_gpu, const std::string& window,
               TaskSamples& out) {
  const Windows windows = windows_of(task, node, window);
  out.window_s = std::max(out.window_s, windows.seconds());
  SampleFile file{fmt::format("samples/{}-{}.jsonl", task.id, node)};
  NodeSamples samples;
  const bool there = read_samples(run_folder / file.name, [&](const SampleLine& line) {
    ++file.lines;
    take_line(line, node, windows, samples, file, out.missing);
  });
  if (!there) {
    out.missing.push_back({node, "samples", "no file " + file.name});
    return;
  }
  for (const auto& [gpu, series] : samples.gpus) {
    out.gpus.push_back(summarize(node, gpu, series, samples.throttles, phases.of(node, gpu), rows_per_gpu));
  }
  for (const auto& [name, rates] : samples.nics) {
    const auto& [tx, rx] = rates;
    out.nics.push_back({node, name, scaled(tx.per_second(), 1e-9), scaled(rx.per_second(), 1e-9),
                        scaled(tx.highest_per_second(), 1e-9), scaled(rx.highest_per_second(), 1e-9)});
  }
  if (samples.host) out.hosts.push_back({node, mean_of(samples.cpu_pct), max_of(samples.memory)});
  out.files.push_back(file);
}

}  // namespace

TaskSamples load_samples(const std::filesystem::path& run_folder, const TaskData& task,
                         std::size_t rows_per_gpu, const std::string& window) {
  const std::set<std::string> names = nodes_of(task);
  const std::vector<std::string> nodes(names.begin(), names.end());
  const TaskPhases phases(task);
  std::vector<TaskSamples> parts(nodes.size());
  for_each_index(nodes.size(), [&](std::size_t i) {
    load_node(run_folder, task, phases, nodes[i], rows_per_gpu, window, parts[i]);
  });
  TaskSamples samples;
  const auto append = [](auto& to, auto& from) {
    std::move(from.begin(), from.end(), std::back_inserter(to));
  };
  for (TaskSamples& part : parts) {  // in the nodes' order: the reports' bytes do not depend on the threads
    append(samples.gpus, part.gpus);
    append(samples.nics, part.nics);
    append(samples.hosts, part.hosts);
    append(samples.missing, part.missing);
    append(samples.files, part.files);
    samples.window_s = std::max(samples.window_s, part.window_s);
  }
  return samples;
}

}  // namespace sxb::analysis
