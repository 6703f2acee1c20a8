#include "analysis/gpu/gpu_groups.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "stats/stats.h"

namespace sxb::analysis {
namespace {

/// Enough for every sample of a test that lasts minutes.
constexpr std::size_t kRowsPerGpu = 20'000;

/// The maximum of each GPU may lie at another shape: still one figure.
constexpr const char* kAnyShape = "gemm_max";

GpuValue value_of(const Typed<record::GpuBench>& entry) {
  const record::GpuBench& bench = entry.data;
  GpuValue value;
  value.node = entry.node;
  value.rank = entry.rank;
  value.gpu = bench.gpu.value_or(-1);
  value.peer = bench.peer;
  value.shape = bench.shape;
  value.value = bench.value.value_or(0);
  value.p5 = bench.p5.value_or(value.value);
  value.p95 = bench.p95.value_or(value.value);
  value.runs = static_cast<double>(bench.runs.value_or(0));
  value.stable = bench.stable.value_or(true);
  if (bench.wrong) value.wrong = static_cast<double>(*bench.wrong);
  return value;
}

/// Repeats of one device: the median repeat speaks, wrong elements add up.
GpuValue join(std::vector<GpuValue> repeats) {
  std::stable_sort(repeats.begin(), repeats.end(),
                   [](const GpuValue& a, const GpuValue& b) { return a.value < b.value; });
  GpuValue joined = repeats[(repeats.size() - 1) / 2];
  std::optional<double> wrong;
  for (const GpuValue& repeat : repeats) {
    if (repeat.wrong) wrong = wrong.value_or(0) + *repeat.wrong;
    joined.stable = joined.stable && repeat.stable;
  }
  joined.wrong = wrong;
  return joined;
}

void finish(GpuFigure& figure) {
  std::map<std::tuple<int, int>, std::vector<GpuValue>> devices;
  for (GpuValue& value : figure.values)
    devices[{value.rank, value.peer.value_or(-1)}].push_back(std::move(value));
  figure.values.clear();
  std::vector<double> values;
  for (auto& [device, repeats] : devices) {
    figure.values.push_back(join(std::move(repeats)));
    values.push_back(figure.values.back().value);
  }
  figure.median = stats::median(values);
  // A latency that is high has many causes; and CPU ranks share cores with whatever else runs.
  if (figure.metric != "us" && figure.values.front().gpu >= 0) figure.slow = slow_devices(values);
}

std::vector<TestState> states_of(const Dataset& dataset, const TaskData& task) {
  std::vector<TestState> states;
  for (const auto& entry : task.of<record::Window>()) {
    const std::string& test = entry.data.name;
    const bool known =
        std::any_of(states.begin(), states.end(), [&](const TestState& state) { return state.test == test; });
    if (!known) states.push_back({test, load_samples(dataset.folder, task, kRowsPerGpu, test)});
  }
  return states;
}

}  // namespace

bool on_gpus(const TaskData& task) {
  const auto& devices = task.of<record::Device>();
  return !devices.empty() && devices.front().data.device == "cuda";
}

bool has_mixed_devices(const TaskData& task) {
  const auto& devices = task.of<record::Device>();
  return std::any_of(devices.begin(), devices.end(),
                     [&](const auto& entry) { return entry.data.name != devices.front().data.name; });
}

std::vector<stats::Outlier> slow_devices(std::span<const double> values) {
  stats::OutlierRule rule;
  rule.min_count = kLeastFleet;
  std::vector<stats::Outlier> outliers = stats::mark_outliers(values, rule);
  std::erase_if(outliers, [](const stats::Outlier& outlier) { return outlier.deviation > 0; });
  return outliers;
}

std::string GpuValue::name() const {
  if (gpu < 0) return fmt::format("{} rank {}", node, rank);
  return peer ? fmt::format("{} GPU {} - {}", node, gpu, *peer) : fmt::format("{} GPU {}", node, gpu);
}

const GpuValue& GpuFigure::least() const {
  return *std::min_element(values.begin(), values.end(),
                           [](const GpuValue& a, const GpuValue& b) { return a.value < b.value; });
}

const GpuValue& GpuFigure::most() const {
  return *std::max_element(values.begin(), values.end(),
                           [](const GpuValue& a, const GpuValue& b) { return a.value < b.value; });
}

double GpuFigure::wrong() const {
  double sum = 0;
  for (const GpuValue& value : values) sum += value.wrong.value_or(0);
  return sum;
}

bool GpuFigure::checked() const {
  return std::all_of(values.begin(), values.end(),
                     [](const GpuValue& value) { return value.wrong.has_value(); });
}

std::vector<GpuFigure> fold_figures(const GpuBenchRecords& records) {
  std::vector<GpuFigure> figures;
  for (const Typed<record::GpuBench>* entry : records) {
    const record::GpuBench& bench = entry->data;
    if (!bench.value) continue;
    const std::string shape = bench.group == kAnyShape ? "the fastest" : bench.shape;
    auto it = std::find_if(figures.begin(), figures.end(), [&](const GpuFigure& figure) {
      return figure.test == bench.test && figure.shape == shape;
    });
    if (it == figures.end()) {
      it = figures.insert(figures.end(), GpuFigure{bench.group, bench.test, shape, bench.metric, {}, {}, 0});
    }
    it->values.push_back(value_of(*entry));
  }
  for (GpuFigure& figure : figures) finish(figure);
  return figures;
}

std::vector<Waived> fold_waived(const GpuBenchRecords& records) {
  std::vector<Waived> all;
  for (const Typed<record::GpuBench>* entry : records) {
    const std::string &why = entry->data.waived, &test = entry->data.test;
    if (why.empty()) continue;
    auto it = std::find_if(all.begin(), all.end(),
                           [&](const Waived& waived) { return waived.test == test && waived.why == why; });
    if (it == all.end()) it = all.insert(all.end(), Waived{test, why, 0});
    ++it->devices;
  }
  return all;
}

std::vector<GpuGroup> group_gpu(const Dataset& dataset) {
  std::vector<GpuGroup> groups;
  for (const TaskData& task : dataset.tasks) {
    if (task.phase != "gpu") continue;
    auto it = std::find_if(groups.begin(), groups.end(),
                           [&](const GpuGroup& group) { return group.nodes == task.nodes; });
    if (it == groups.end()) {
      it = groups.insert(groups.end(), GpuGroup{});
      it->nodes = task.nodes;
    }
    it->tasks.push_back(&task);
    it->ok += task.status() == TaskStatus::kOk ? 1 : 0;
    it->cuda = it->cuda || on_gpus(task);
    it->mixed = it->mixed || has_mixed_devices(task);
  }
  for (GpuGroup& group : groups) {
    GpuBenchRecords records;
    for (const TaskData* task : group.tasks) {
      for (const auto& entry : task->of<record::GpuBench>()) records.push_back(&entry);
    }
    group.figures = fold_figures(records);
    if (group.mixed) {
      for (GpuFigure& figure : group.figures) figure.slow.clear();
    }
    group.waived = fold_waived(records);
    if (group.cuda) group.states = states_of(dataset, *group.tasks.back());
  }
  return groups;
}

}  // namespace sxb::analysis
