#include "analysis/gpu/burns.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "analysis/gpu/gpu_groups.h"
#include "analysis/read/json_read.h"
#include "stats/stats.h"

namespace sxb::analysis {
namespace {

constexpr std::size_t kBurnRowsPerGpu =
    1'000'000;  // samples are joined second by second: none may be left out
/// A span shorter than this is the rest at the end.
constexpr double kWholeSecond = 0.5;

std::optional<double> mean_in(const std::vector<const GpuSample*>& samples, GpuMetric metric) {
  std::vector<double> values;
  for (const GpuSample* sample : samples) {
    if ((*sample)[metric]) values.push_back(*(*sample)[metric]);
  }
  return values.empty() ? std::nullopt : std::optional(stats::mean(values));
}

/// What was sampled in (end - span, end] on the node's monotonic clock.
void join_samples(const GpuUse& use, std::int64_t end_ns, BurnSecond& second) {
  const std::int64_t begin_ns = end_ns - static_cast<std::int64_t>(second.span_s * 1e9);
  std::vector<const GpuSample*> inside;
  const auto first =
      std::upper_bound(use.thinned.begin(), use.thinned.end(), begin_ns,
                       [](std::int64_t ns, const GpuSample& sample) { return ns < sample.mono_ns; });
  for (auto it = first; it != use.thinned.end() && it->mono_ns <= end_ns; ++it) inside.push_back(&*it);
  second.power_w = mean_in(inside, GpuMetric::kPower);
  second.sm_mhz = mean_in(inside, GpuMetric::kSmClock);
  second.temp_c = mean_in(inside, GpuMetric::kTemperature);
  for (const GpuSample* sample : inside) {
    if (!sample->throttle || sample->throttle->empty() ||
        second.throttle.find(*sample->throttle) != std::string::npos)
      continue;
    second.throttle += (second.throttle.empty() ? "" : "|") + *sample->throttle;
  }
}

const GpuUse* use_of(const TaskSamples& samples, const std::string& node, int gpu) {
  const auto it = std::find_if(samples.gpus.begin(), samples.gpus.end(),
                               [&](const GpuUse& use) { return use.node == node && use.gpu == gpu; });
  return it == samples.gpus.end() ? nullptr : &*it;
}

BurnSecond second_of(const record::Burn& burn) {
  BurnSecond second;
  second.second = burn.second.value_or(0);
  second.span_s = burn.span_s.value_or(0);
  second.tflops = burn.tflops.value_or(0);
  second.iterations = static_cast<double>(burn.iterations.value_or(0));
  second.mismatches = static_cast<double>(burn.mismatches.value_or(0));
  if (burn.memory_bytes) second.memory_bytes = static_cast<double>(*burn.memory_bytes);
  return second;
}

void add_up_seconds(BurnGpu& gpu) {
  double work = 0, time = 0;
  std::optional<double> least, memory;
  for (const BurnSecond& second : gpu.seconds) {
    work += second.tflops * second.span_s;
    time += second.span_s;
    gpu.mismatches = std::max(gpu.mismatches, second.mismatches);
    if (second.span_s >= kWholeSecond) least = std::min(least.value_or(second.tflops), second.tflops);
    if (!second.memory_bytes) continue;
    if (!memory) memory = second.memory_bytes;
    gpu.memory_growth_bytes = *second.memory_bytes - *memory;
  }
  gpu.tflops = time > 0 ? work / time : 0;
  gpu.least_tflops = least.value_or(gpu.tflops);
}

void compare_with_fleet(BurnTask& burn) {
  std::vector<double> values;
  for (const BurnGpu& gpu : burn.gpus) {
    values.push_back(gpu.tflops);
    burn.total_tflops += gpu.tflops;
  }
  if (values.empty()) return;
  burn.median_tflops = stats::median(values);
  if (!burn.cuda || burn.mixed || values.size() < kLeastFleet || burn.median_tflops <= 0) return;
  for (BurnGpu& gpu : burn.gpus) gpu.below = (burn.median_tflops - gpu.tflops) / burn.median_tflops;
  for (const stats::Outlier& outlier : slow_devices(values)) burn.gpus[outlier.index].slow = true;
}

BurnTask burn_of(const Dataset& dataset, const TaskData& task) {
  BurnTask burn;
  burn.task = &task;
  burn.nodes = task.nodes;
  const Json& planned = member(task.plan, "burn");
  burn.precision = text(planned, "precision");
  burn.size = integer(planned, "size").value_or(0);
  burn.streams = integer(planned, "streams").value_or(0);
  burn.duration_s = integer(planned, "duration_s").value_or(0);
  burn.cuda = on_gpus(task);
  burn.mixed = has_mixed_devices(task);
  const TaskSamples samples = load_samples(dataset.folder, task, kBurnRowsPerGpu);
  std::map<int, BurnGpu> gpus;
  for (const auto& entry : task.of<record::Burn>()) {
    BurnGpu& gpu = gpus[entry.rank];
    gpu.node = entry.node;
    gpu.rank = entry.rank;
    gpu.gpu = entry.data.gpu.value_or(-1);
    gpu.seconds.push_back(second_of(entry.data));
    const GpuUse* use = use_of(samples, gpu.node, gpu.gpu);
    if (use != nullptr) join_samples(*use, entry.mono_ns, gpu.seconds.back());
  }
  for (auto& [rank, gpu] : gpus) {
    add_up_seconds(gpu);
    if (const GpuUse* use = use_of(samples, gpu.node, gpu.gpu); use != nullptr) {
      gpu.use = *use;
      gpu.use->thinned.clear();
    }
    burn.gpus.push_back(std::move(gpu));
  }
  compare_with_fleet(burn);
  return burn;
}

}  // namespace

std::string BurnGpu::name() const {
  return gpu < 0 ? fmt::format("{} rank {}", node, rank) : fmt::format("{} GPU {}", node, gpu);
}

std::string BurnTask::label() const { return fmt::format("{} on {}", precision, on_nodes(nodes)); }

std::vector<BurnTask> group_burns(const Dataset& dataset) {
  std::vector<BurnTask> burns;
  for (const TaskData& task : dataset.tasks) {
    if (task.phase == "burn") burns.push_back(burn_of(dataset, task));
  }
  return burns;
}

}  // namespace sxb::analysis
