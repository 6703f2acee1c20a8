#include "analysis/sft/sft_groups.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "analysis/guard/nic_rates.h"
#include "analysis/read/json_read.h"
#include "analysis/read/topology.h"
#include "base/hash.h"
#include "stats/stability.h"

namespace sxb::analysis {
namespace {

/// Rows of gpu_metrics.csv per GPU in all, shared by the tasks; keeps a run of days readable.
constexpr std::size_t kGpuRows = 1000;
/// Of one task over all its GPUs: 8,192 of them would make a file of gigabytes.
constexpr std::size_t kTaskRows = 200'000;
constexpr std::size_t kFewestRows = 20;

const Json& planned_model(const TaskData& task) { return member(task.plan, "model"); }

std::string model_name(const TaskData& task) {
  const std::string name = text(planned_model(task), "name");
  return name.empty() ? task.last<record::Training>().model : name;
}

/// Display name by task. Two models of one name (a shipped one and a changed copy) must not be mixed.
std::map<const TaskData*, std::string> model_labels(const Dataset& dataset) {
  std::map<std::string, std::set<std::string>> variants;
  for (const TaskData& task : dataset.tasks) {
    if (task.phase == "sft") variants[model_name(task)].insert(canonical_json(planned_model(task)));
  }
  std::map<const TaskData*, std::string> labels;
  for (const TaskData& task : dataset.tasks) {
    if (task.phase != "sft") continue;
    const std::string name = model_name(task);
    const bool one = variants[name].size() == 1;
    labels[&task] =
        one ? name : fmt::format("{}@{}", name, hash_hex(canonical_json(planned_model(task))).substr(0, 6));
  }
  return labels;
}

SftGroup& find_or_add(std::vector<SftGroup>& groups, const std::string& model, int nodes) {
  for (SftGroup& group : groups) {
    if (group.model == model && group.nodes == nodes) return group;
  }
  SftGroup& group = groups.emplace_back();
  group.model = model;
  group.nodes = nodes;
  return group;
}

std::optional<double> global_batch(const TaskData& task) {
  const record::Training& training = task.last<record::Training>();
  if (!training.world || !training.micro_batch || !training.grad_accumulation) return std::nullopt;
  return static_cast<double>(*training.world * *training.micro_batch * *training.grad_accumulation);
}

void join_tasks(SftGroup& group) {
  std::vector<double> throughput;
  for (const SftTask& item : group.tasks) {
    if (item.task->status() != TaskStatus::kOk) continue;
    ++group.ok;
    group.global_batch = global_batch(*item.task);
    group.hosts = count_hosts(*item.task);
    if (const auto value = item.figures.get("samples_per_sec")) throughput.push_back(*value);
    const auto median = item.figures.get("step_time_ms_median");
    const auto mad = item.figures.get("step_time_ms_mad");
    if (median && mad && *median > 0) {
      group.step_noise = std::max(group.step_noise.value_or(0), stats::kMadToSigma * *mad / *median);
    }
  }
  for (const FigureInfo& info : sft_figures()) {
    const std::string_view name = info.name;
    if (name.ends_with("_low") || name.ends_with("_high")) continue;  // not the median of intervals
    std::vector<double> values;
    for (const SftTask& item : group.tasks) {
      if (item.task->status() != TaskStatus::kOk) continue;
      if (const auto value = item.figures.get(info.name)) values.push_back(*value);
    }
    if (!values.empty()) group.figures.set(info.name, stats::median(values));
  }
  std::vector<const StepBreakdown*> breakdowns;
  std::vector<const TaskData*> repeats;
  for (const SftTask& item : group.tasks) {
    if (item.task->status() != TaskStatus::kOk) continue;
    breakdowns.push_back(&item.phases);
    repeats.push_back(item.task);
  }
  set_intervals(repeats, group.figures);
  group.phases = join_repeats(breakdowns);
  if (throughput.size() > 1) {
    const auto [low, high] = std::minmax_element(throughput.begin(), throughput.end());
    group.repeat_spread = (*high - *low) / stats::median(throughput);
  }
  group.unstable = stats::unstable({group.repeat_spread, group.step_noise});
}

/// NVLink and NICs of one repeat, by their counters.
void guard_counters(const std::string& subject, const SftTask& item, const Network& network,
                    const Hardware& hardware, std::vector<Check>& out) {
  const Topology topology = topology_of(network, *item.task, {}, hardware);
  std::optional<Check> nearest;
  for (const GpuUse& use : item.samples.gpus) {
    const double rate = std::max(use.nvlink_tx_gBps.value_or(0), use.nvlink_rx_gBps.value_or(0));
    if (rate <= 0 || topology.nvlink_gBps <= 0) continue;
    Check check{subject,
                "nvlink_counter",
                rate,
                "GB/s",
                topology.nvlink_gBps,
                "NVLink",
                fmt::format("{:.1f} GB/s through GPU {} of {}", rate, use.gpu, use.node),
                fmt::format("{:g} GB/s NVLink", topology.nvlink_gBps)};
    if (!nearest || check.share() > nearest->share()) nearest = std::move(check);
  }
  if (nearest) out.push_back(std::move(*nearest));
  auto nics = guard_nics(subject, nic_rates(item.samples, line_rates(network), 0));
  if (nics) out.push_back(std::move(*nics));
}

/// Work beyond the peak of the device cannot have been done: the peak, the count or the clock is wrong.
void guard(const Network& network, const Hardware& hardware, SftGroup& group) {
  const auto measured = std::find_if(group.tasks.begin(), group.tasks.end(), [](const SftTask& item) {
    return item.task->status() == TaskStatus::kOk;
  });
  if (measured == group.tasks.end()) return;
  const std::string subject = fmt::format("{} on {}", group.model, on_nodes(group.nodes));
  TrainingLoad load = training_load(*measured->task, hardware);
  load.samples_per_s = group.figures.get("samples_per_sec").value_or(0);
  load.tokens_per_s = group.figures.get("tokens_per_sec").value_or(0);
  group.checks = guard_training(subject, load);
  // MFU is stated against the BF16 peak, which FP8 products may exceed; tokens/s count against FP8's own.
  const bool fp8 = measured->task->last<record::Training>().precision == "fp8";
  for (const char* name : {"mfu_causal", "mfu_full"}) {
    const auto mfu = fp8 ? std::nullopt : group.figures.get(name);
    if (mfu)
      group.checks.push_back(
          {subject, name, *mfu, "", 1, "tensor peak", fmt::format("MFU {:.3f}", *mfu), "1"});
  }
  guard_counters(subject, *measured, network, hardware, group.checks);
  group.implausible = std::any_of(group.checks.begin(), group.checks.end(),
                                  [](const Check& check) { return check.implausible(); });
}

std::string scaling_kind(const SftGroup& group, const SftGroup& base) {
  const auto ranks = group.figures.get("gpus");
  const auto base_ranks = base.figures.get("gpus");
  if (!group.global_batch || !base.global_batch || !ranks || !base_ranks) return "unknown";
  if (*group.global_batch / *ranks == *base.global_batch / *base_ranks) return "weak";
  return *group.global_batch == *base.global_batch ? "strong" : "mixed";
}

/// efficiency = (throughput / base throughput) / (nodes / base nodes); 1 = linear.
void set_scaling(std::vector<SftGroup>& groups) {
  for (SftGroup& group : groups) {
    const SftGroup* base = nullptr;
    for (const SftGroup& other : groups) {
      const bool measured =
          other.model == group.model && other.figures.get("samples_per_sec").value_or(0) > 0;
      if (measured && (base == nullptr || other.nodes < base->nodes)) base = &other;
    }
    const auto throughput = group.figures.get("samples_per_sec");
    if (base == nullptr || !throughput || group.nodes == 0) continue;
    group.base_nodes = base->nodes;
    group.speedup = *throughput / *base->figures.get("samples_per_sec");
    group.scaling = scaling_kind(group, *base);
    group.efficiency = *group.speedup * base->nodes / group.nodes;
  }
}

}  // namespace

std::string SftGroup::status() const {
  std::vector<const TaskData*> all;
  for (const SftTask& item : tasks) all.push_back(item.task);
  return status_of_repeats(ok, all);
}

std::vector<SftGroup> group_sft(const Dataset& dataset, const Hardware& hardware) {
  const auto labels = model_labels(dataset);
  const std::size_t rows = std::max(kFewestRows, kGpuRows / std::max<std::size_t>(1, labels.size()));
  const Network network = network_of(dataset.asked.cluster);
  std::vector<SftGroup> groups;
  for (const TaskData& task : dataset.tasks) {
    if (task.phase != "sft") continue;
    const auto ranks = static_cast<std::size_t>(std::max(1, task.world()));
    const std::size_t task_rows = std::clamp(kTaskRows / ranks, kFewestRows, rows);
    SftTask item{&task, load_samples(dataset.folder, task, task_rows), {}, {}};
    item.figures = compute_sft(task, item.samples);
    item.phases = break_down(task, item.samples);
    find_or_add(groups, labels.at(&task), task.nodes).tasks.push_back(std::move(item));
  }
  for (SftGroup& group : groups) {
    join_tasks(group);
    guard(network, hardware, group);
  }
  set_scaling(groups);
  return groups;
}

}  // namespace sxb::analysis
