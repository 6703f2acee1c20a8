#include "analysis/samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <iterator>
#include <set>
#include <string_view>
#include <thread>

#include "analysis/counter_rate.h"
#include "analysis/json_read.h"
#include "stats/stats.h"
#include "sxbench/base/files.h"
#include "sxbench/base/text.h"

namespace sxb::analysis {
namespace {

constexpr const char* kFieldNames[kGpuMetrics] = {
    "util_pct",        "mem_used_bytes", "power_w",           "energy_mj",
    "temp_c",          "sm_mhz",         "mem_mhz",           "nvlink_tx_bytes",
    "nvlink_rx_bytes", "sm_active_pct",  "tensor_active_pct", "dram_active_pct",
    "power_instant_w"};

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
  for (const Entry& entry : task.of(record::kind::kWindow)) {
    const auto begin = integer(entry.record.data, "begin_ns");
    const auto end = integer(entry.record.data, "end_ns");
    const bool named = name.empty() || text(entry.record.data, "name") == name;
    if (named && entry.record.node == node && begin && end && *begin <= *end)
      windows.intervals.emplace_back(*begin, *end);
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

std::vector<double> column(const std::vector<GpuSample>& samples, GpuMetric metric) {
  std::vector<double> values;
  for (const GpuSample& sample : samples) {
    if (sample.in_window && sample[metric]) values.push_back(*sample[metric]);
  }
  return values;
}

std::optional<double> rate(const std::vector<GpuSample>& samples, GpuMetric metric) {
  CounterRate rate;
  for (const GpuSample& sample : samples) {
    if (sample.in_window) rate.add(sample.mono_ns, sample[metric]);
  }
  return rate.per_second();
}

bool has_gpm(const GpuSample& sample) {
  return sample[GpuMetric::kSmActive] || sample[GpuMetric::kTensorActive] || sample[GpuMetric::kDramActive];
}

std::map<std::string, double> throttle_shares(const std::vector<GpuSample>& samples) {
  std::map<std::string, double> shares;
  double said = 0;
  for (const GpuSample& sample : samples) {
    if (!sample.in_window || !sample.throttle) continue;
    said += 1;
    if (sample.throttle->empty()) continue;
    for (const std::string& reason : split(*sample.throttle, '|')) shares[reason] += 1;
  }
  for (auto& [reason, count] : shares) count /= said;
  return shares;
}

/// The time that a power reading describes: power_w is a mean over the last second; power_instant_w is
/// refreshed about every 100 ms from some 25 ms of measurement (Ampere to Hopper).
constexpr std::int64_t kPowerMeanNs = 1'000'000'000;
constexpr std::int64_t kPowerInstantNs = 125'000'000;

/// GPM figures describe the time since the last sample that has them.
void attribute(const std::vector<GpuSample>& samples, const PhaseSpans& spans, GpuUse& use) {
  const auto add = [&](std::int64_t begin_ns, std::int64_t end_ns, const std::optional<double>& value,
                       Tally PhaseActivity::*tally) {
    if (!value) return;
    if (const auto phase = spans.phase_of(begin_ns, end_ns))
      (use.phases[static_cast<std::size_t>(*phase)].*tally).add(*value);
  };
  const bool instant = std::any_of(samples.begin(), samples.end(), [](const GpuSample& sample) {
    return sample[GpuMetric::kPowerInstant].has_value();
  });
  const GpuMetric power = instant ? GpuMetric::kPowerInstant : GpuMetric::kPower;
  const std::int64_t power_ns = instant ? kPowerInstantNs : kPowerMeanNs;
  use.power_span_s = static_cast<double>(power_ns) * 1e-9;
  std::optional<std::int64_t> last_gpm;
  for (const GpuSample& sample : samples) {
    add(sample.mono_ns - power_ns, sample.mono_ns, sample[power], &PhaseActivity::power_w);
    if (!has_gpm(sample)) continue;
    if (last_gpm) {
      const auto& s = sample;
      add(*last_gpm, s.mono_ns, s[GpuMetric::kSmActive], &PhaseActivity::sm_active_pct);
      add(*last_gpm, s.mono_ns, s[GpuMetric::kTensorActive], &PhaseActivity::tensor_active_pct);
      add(*last_gpm, s.mono_ns, s[GpuMetric::kDramActive], &PhaseActivity::dram_active_pct);
    }
    last_gpm = sample.mono_ns;
  }
}

/// Median time between those of the samples that `counts` takes.
template <typename Counts>
std::optional<double> median_gap_s(const std::vector<GpuSample>& samples, const Counts& counts) {
  std::vector<double> gaps;
  std::optional<std::int64_t> last;
  for (const GpuSample& sample : samples) {
    if (!counts(sample)) continue;
    if (last) gaps.push_back(static_cast<double>(sample.mono_ns - *last) * 1e-9);
    last = sample.mono_ns;
  }
  return median_of(gaps);
}

GpuUse summarize(const std::string& node, int gpu, const std::vector<GpuSample>& samples,
                 const PhaseSpans& spans, std::size_t rows_per_gpu) {
  GpuUse use;
  use.node = node;
  use.gpu = gpu;
  use.samples = static_cast<std::size_t>(std::count_if(
      samples.begin(), samples.end(), [](const GpuSample& sample) { return sample.in_window; }));
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
  use.throttle = throttle_shares(samples);
  attribute(samples, spans, use);
  use.tick_s = median_gap_s(samples, [](const GpuSample&) { return true; });
  use.gpm_s = median_gap_s(samples, has_gpm);
  use.stride = std::max<std::size_t>(1, (samples.size() + rows_per_gpu - 1) / rows_per_gpu);
  for (std::size_t i = 0; i < samples.size(); i += use.stride) use.thinned.push_back(samples[i]);
  return use;
}

/// Everything read from one file, before it is summed up.
struct NodeSamples {
  std::map<int, std::vector<GpuSample>> gpus;
  std::map<std::string, std::pair<CounterRate, CounterRate>> nics;  ///< tx, rx
  std::vector<double> cpu_pct, memory;
  bool host = false;
};

/// One line of a samples file; views and absent values as the line has them.
struct Line {
  std::string source, name, reason;
  std::optional<std::string> throttle;
  std::int64_t mono_ns = 0, wall_ns = 0;
  int index = -1;
  std::array<std::optional<double>, kGpuMetrics> values;
  std::optional<double> cpu_pct, tx_bytes, rx_bytes;
};

template <typename T>
void parse_number(std::string_view text, T& value) {
  T parsed{};
  if (std::from_chars(text.data(), text.data() + text.size(), parsed).ec == std::errc()) value = parsed;
}

void parse_number(std::string_view text, std::optional<double>& value) {
  double parsed = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), parsed).ec == std::errc()) value = parsed;
}

void set_text(std::string_view key, std::string_view value, Line& line) {
  if (key == "source") line.source = value;
  if (key == "name") line.name = value;
  if (key == "reason") line.reason = value;
  if (key == "throttle") line.throttle = value;
}

/// `value` is a JSON number, true, false or null; the last three say nothing.
void set_number(std::string_view key, std::string_view value, Line& line) {
  for (std::size_t i = 0; i < kGpuMetrics; ++i) {
    if (key == kFieldNames[i]) return parse_number(value, line.values[i]);
  }
  if (key == "mono_ns") parse_number(value, line.mono_ns);
  if (key == "wall_ns") parse_number(value, line.wall_ns);
  if (key == "index") parse_number(value, line.index);
  if (key == "cpu_pct") parse_number(value, line.cpu_pct);
  if (key == "tx_bytes") parse_number(value, line.tx_bytes);
  if (key == "rx_bytes") parse_number(value, line.rx_bytes);
}

/// Reads a sample as the head writes it: one line, no white space, a flat `data` object last. A large run has
/// ten million of them, for which a tree of JSON values is too slow. False if the line is anything else.
bool read_flat(std::string_view text, Line& line) {
  constexpr std::string_view kBegin = R"({"v":1,"kind":"sample",)", kData = R"("data":{)", kEnd = "}}";
  const std::size_t data = text.find(kData);
  if (!text.starts_with(kBegin) || !text.ends_with(kEnd) || data == std::string_view::npos) return false;
  text = text.substr(data + kData.size(), text.size() - kEnd.size() - data - kData.size());
  while (!text.empty()) {
    const std::size_t key_end = text.front() == '"' ? text.find(R"(":)", 1) : std::string_view::npos;
    if (key_end == std::string_view::npos || key_end + 2 >= text.size()) return false;
    const std::string_view key = text.substr(1, key_end - 1);
    text.remove_prefix(key_end + 2);
    const bool quoted = text.front() == '"';
    if (quoted) text.remove_prefix(1);
    const std::size_t end = quoted ? text.find('"') : std::min(text.find(','), text.size());
    if (end == std::string_view::npos) return false;
    const std::string_view value = text.substr(0, end);
    if (value.find_first_of(quoted ? R"(\)" : R"({}[]" )") != std::string_view::npos) return false;
    quoted ? set_text(key, value, line) : set_number(key, value, line);
    text.remove_prefix(end + (quoted ? 1 : 0));
    if (text.empty()) return true;
    if (text.front() != ',') return false;
    text.remove_prefix(1);
  }
  return false;
}

/// Any other line; false if it is no sample.
bool read_json(std::string_view text, Line& line) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return false;
  const Json& data = json.contains("data") ? json["data"] : json;
  line.source = sxb::analysis::text(data, "source");
  line.name = sxb::analysis::text(data, "name");
  line.reason = sxb::analysis::text(data, "reason");
  if (member(data, "throttle").is_string()) line.throttle = sxb::analysis::text(data, "throttle");
  line.mono_ns = integer(data, "mono_ns").value_or(0);
  line.wall_ns = integer(data, "wall_ns").value_or(0);
  line.index = static_cast<int>(integer(data, "index").value_or(-1));
  for (std::size_t i = 0; i < kGpuMetrics; ++i) line.values[i] = number(data, kFieldNames[i]);
  line.cpu_pct = number(data, "cpu_pct");
  line.tx_bytes = number(data, "tx_bytes");
  line.rx_bytes = number(data, "rx_bytes");
  return true;
}

void take_line(Line& line, const std::string& node, const Windows& windows, NodeSamples& out,
               SampleFile& file, std::vector<MissingSource>& missing) {
  const bool in_window = windows.contains(line.mono_ns);
  if (line.source == "missing") {
    missing.push_back({node, line.name, line.reason});
    return;
  }
  file.in_window += in_window ? 1 : 0;
  if (line.source == "gpu") {
    out.gpus[line.index].push_back(
        {line.mono_ns, line.wall_ns, in_window, line.values, std::move(line.throttle)});
  }
  out.host = out.host || line.source == "host";
  if (!in_window) return;
  if (line.source == "host") {
    if (line.cpu_pct) out.cpu_pct.push_back(*line.cpu_pct);
    const auto& memory = line.values[static_cast<std::size_t>(GpuMetric::kMemoryUsed)];
    if (memory) out.memory.push_back(*memory);
  }
  if (line.source == "nic" || line.source == "rdma") {
    auto& [tx, rx] = out.nics[line.name];
    tx.add(line.mono_ns, line.tx_bytes);
    rx.add(line.mono_ns, line.rx_bytes);
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

void load_node(const std::filesystem::path& run_folder, const TaskData& task, const std::string& node,
               std::size_t rows_per_gpu, const std::string& window, TaskSamples& out) {
  const Windows windows = windows_of(task, node, window);
  out.window_s = std::max(out.window_s, windows.seconds());
  SampleFile file{fmt::format("samples/{}-{}.jsonl", task.id, node)};
  const auto content = read_file(run_folder / file.name);
  if (!content.ok()) {
    out.missing.push_back({node, "samples", "no file " + file.name});
    return;
  }
  NodeSamples samples;
  for (std::size_t begin = 0; begin < content->size();) {
    const std::size_t end = std::min(content->find('\n', begin), content->size());
    const std::string_view text(content->data() + begin, end - begin);
    begin = end + 1;
    Line line;
    if (!read_flat(text, line)) {
      line = Line();
      if (!read_json(text, line)) continue;
    }
    ++file.lines;
    take_line(line, node, windows, samples, file, out.missing);
  }
  for (const auto& [gpu, list] : samples.gpus)
    out.gpus.push_back(summarize(node, gpu, list, PhaseSpans::of(task, node, gpu), rows_per_gpu));
  for (const auto& [name, rates] : samples.nics) {
    const auto& [tx, rx] = rates;
    out.nics.push_back({node, name, scaled(tx.per_second(), 1e-9), scaled(rx.per_second(), 1e-9),
                        scaled(tx.highest_per_second(), 1e-9), scaled(rx.highest_per_second(), 1e-9)});
  }
  if (samples.host) out.hosts.push_back({node, mean_of(samples.cpu_pct), max_of(samples.memory)});
  out.files.push_back(file);
}

}  // namespace

const char* field_name(GpuMetric metric) { return kFieldNames[static_cast<std::size_t>(metric)]; }

TaskSamples load_samples(const std::filesystem::path& run_folder, const TaskData& task, std::size_t rows_per_gpu,
                         const std::string& window) {
  const std::set<std::string> names = nodes_of(task);
  const std::vector<std::string> nodes(names.begin(), names.end());
  std::vector<TaskSamples> parts(nodes.size());
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < nodes.size(); i = next++) {
      load_node(run_folder, task, nodes[i], rows_per_gpu, window, parts[i]);
    }
  };
  {
    const std::size_t width =
        std::min<std::size_t>(nodes.size(), std::max(1u, std::thread::hardware_concurrency()));
    std::vector<std::jthread> threads;
    for (std::size_t i = 1; i < width; ++i) threads.emplace_back(work);
    work();
  }
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
