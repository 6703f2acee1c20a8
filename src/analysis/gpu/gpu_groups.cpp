#include "analysis/gpu/gpu_groups.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "analysis/read/json_read.h"
#include "stats/stats.h"

namespace sxb::analysis {
namespace {

/// Enough for every sample of a test that lasts minutes.
constexpr std::size_t kRowsPerGpu = 20'000;

/// The maximum of each GPU may lie at another shape: still one figure.
constexpr const char* kAnyShape = "gemm_max";

GpuValue value_of(const record::Record& record) {
  const Json& data = record.data;
  GpuValue value;
  value.node = record.node;
  value.rank = record.rank;
  value.gpu = static_cast<int>(integer(data, "gpu").value_or(-1));
  if (const auto peer = integer(data, "peer")) value.peer = static_cast<int>(*peer);
  value.shape = text(data, "shape");
  value.value = number(data, "value").value_or(0);
  value.p5 = number(data, "p5").value_or(value.value);
  value.p95 = number(data, "p95").value_or(value.value);
  value.runs = number(data, "runs").value_or(0);
  value.stable = !member(data, "stable").is_boolean() || flag(data, "stable");
  value.wrong = number(data, "wrong");
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

std::vector<const record::Record*> records_of(const TaskData& task) {
  std::vector<const record::Record*> records;
  for (const Entry& entry : task.of(record::kind::kGpuBench)) records.push_back(&entry.record);
  return records;
}

bool on_gpus(const TaskData& task) {
  const std::vector<Entry>& devices = task.of(record::kind::kDevice);
  return !devices.empty() && text(devices.front().record.data, "device") == "cuda";
}

std::vector<TestState> states_of(const Dataset& dataset, const TaskData& task) {
  std::vector<TestState> states;
  for (const Entry& entry : task.of(record::kind::kWindow)) {
    const std::string test = text(entry.record.data, "name");
    const bool known =
        std::any_of(states.begin(), states.end(), [&](const TestState& state) { return state.test == test; });
    if (!known) states.push_back({test, load_samples(dataset.folder, task, kRowsPerGpu, test)});
  }
  return states;
}

}  // namespace

bool has_mixed_devices(const TaskData& task) {
  const std::vector<Entry>& devices = task.of(record::kind::kDevice);
  return std::any_of(devices.begin(), devices.end(), [&](const Entry& entry) {
    return text(entry.record.data, "name") != text(devices.front().record.data, "name");
  });
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

std::vector<GpuFigure> fold_figures(const std::vector<const record::Record*>& records) {
  std::vector<GpuFigure> figures;
  for (const record::Record* record : records) {
    if (!number(record->data, "value")) continue;
    const std::string group = text(record->data, "group"), test = text(record->data, "test");
    const std::string shape = group == kAnyShape ? "the fastest" : text(record->data, "shape");
    auto it = std::find_if(figures.begin(), figures.end(), [&](const GpuFigure& figure) {
      return figure.test == test && figure.shape == shape;
    });
    if (it == figures.end()) {
      it = figures.insert(figures.end(),
                          GpuFigure{group, test, shape, text(record->data, "metric"), {}, {}, 0});
    }
    it->values.push_back(value_of(*record));
  }
  for (GpuFigure& figure : figures) finish(figure);
  return figures;
}

std::vector<Waived> fold_waived(const std::vector<const record::Record*>& records) {
  std::vector<Waived> all;
  for (const record::Record* record : records) {
    const std::string why = text(record->data, "waived"), test = text(record->data, "test");
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
    std::vector<const record::Record*> records;
    for (const TaskData* task : group.tasks) {
      const auto more = records_of(*task);
      records.insert(records.end(), more.begin(), more.end());
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
