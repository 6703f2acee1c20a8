#include "analysis/verdict/findings.h"

#include <fmt/format.h>

#include <algorithm>

#include "analysis/read/measured_steps.h"
#include "base/text.h"
#include "stats/outliers.h"
#include "stats/stability.h"

namespace sxb::analysis {
namespace {

/// "all 512", or the first few by name and the number of the others.
std::string some_of(std::vector<std::string> names, std::size_t all) {
  constexpr std::size_t kNamed = 8;
  if (names.size() == all && all > 1) return fmt::format("all {}", all);
  if (names.size() <= kNamed) return join(names, ", ");
  const std::size_t others = names.size() - kNamed;
  names.resize(kNamed);
  return fmt::format("{} and {} more", join(names, ", "), others);
}

Finding from_record(const Typed<record::Finding>& entry) {
  std::string where = entry.node;
  if (entry.rank >= 0) where += fmt::format("{}rank {}", where.empty() ? "" : " ", entry.rank);
  return {entry.data.severity, entry.data.code, entry.data.message, entry.data.help, where, entry.line};
}

/// Heat and brakes are faults; a power cap that binds is how these GPUs work under full load.
void add_throttling(const std::string& what, const GpuUse& use, std::vector<Finding>& out) {
  for (const auto& [reason, share] : use.throttle) {
    const bool fault = reason.find("thermal") != std::string::npos || reason.starts_with("hw_");
    if (!fault || share < 0.01) continue;
    out.push_back(
        {"warning", "gpu_throttled",
         fmt::format("{} was slowed down by {} in {:.0f} % of the samples", what, reason, share * 100),
         "check cooling and power supply of this node", use.node, 0});
  }
}

/// Steps that stand off from the others of their repeat. They are named, and stay in every figure.
void add_outliers(const std::string& what, const TaskData& task, std::vector<Finding>& out) {
  constexpr std::size_t kNamed = 5;
  const MeasuredSteps steps = measured_steps(task);
  const std::vector<stats::Outlier> outliers = stats::mark_outliers(steps.time_ms);
  if (outliers.empty()) return;
  std::vector<std::string> named;
  bool high = false;
  for (const stats::Outlier& outlier : outliers) {
    high = high || outlier.severity == stats::Severity::kHigh;
    if (named.size() == kNamed) continue;
    named.push_back(fmt::format("step {} {:+.1f} % ({})", steps.number[outlier.index],
                                outlier.deviation * 100, stats::to_string(outlier.severity)));
  }
  if (outliers.size() > kNamed) named.push_back("...");
  out.push_back(
      {high ? "warning" : "info", "outlier_steps",
       fmt::format("{}{}: {} of {} measured steps stand off from the median: {}", what,
                   task.repeat > 0 ? fmt::format(", repeat {}", task.repeat + 1) : "", outliers.size(),
                   steps.time_ms.size(), join(named, ", ")),
       "they count in every figure; data wait, throttling or other work on the node may explain them", "",
       0});
}

/// A machine that went down may have kept a checkpoint and lost the end of the journal.
void add_lost_steps(const std::string& what, const TaskData& task, std::vector<Finding>& out) {
  const std::int64_t resumed = task.resumed_step();
  const auto& steps = task.of<record::Step>();
  const auto kept = std::count_if(steps.begin(), steps.end(), [&](const auto& entry) {
    return entry.data.step.value_or(0) >= 1 && entry.data.step.value_or(0) <= resumed;
  });
  if (kept >= resumed) return;
  out.push_back(
      {"warning", "steps_not_recorded",
       fmt::format("{}: the training went on after step {}, and {} of the steps before have no record", what,
                   resumed, resumed - kept),
       "they count in no figure: the journal lost its end when the run was stopped", "", 0});
}

void add_sft(const SftGroup& group, std::vector<Finding>& out) {
  const std::string what = fmt::format("sft {} on {}", group.model, on_nodes(group.nodes));
  if (group.unstable) {
    std::vector<std::string> why;
    if (group.repeat_spread.value_or(0) > stats::kUnstable) {
      why.push_back(fmt::format("the repeats differ by {:.1f} %", *group.repeat_spread * 100));
    }
    if (group.step_noise.value_or(0) > stats::kUnstable) {
      why.push_back(
          fmt::format("step times vary by {:.1f} % (1.4826 MAD / median)", *group.step_noise * 100));
    }
    out.push_back({"warning", "unstable", fmt::format("{}: UNSTABLE, {}", what, join(why, " and ")),
                   "more steps, a longer warm-up or an idle machine give a figure to rely on", "", 0});
  }
  for (const SftTask& item : group.tasks) {
    if (item.task->status() != TaskStatus::kOk) continue;
    if (item.samples.window_s <= 0) {
      out.push_back({"warning", "no_window",
                     fmt::format("{}: no measured window recorded, so no sample counts", what),
                     "GPU, network and host figures of this task are missing", "", 0});
    }
    add_outliers(what, *item.task, out);
    add_lost_steps(what, *item.task, out);
    for (const GpuUse& use : item.samples.gpus)
      add_throttling(fmt::format("{} on {}: GPU {}", group.model, on_nodes(group.nodes), use.gpu), use, out);
  }
}

std::string some_lines(const std::vector<std::size_t>& lines) {
  std::vector<std::string> numbers;
  for (const std::size_t line : lines) numbers.push_back(std::to_string(line));
  return some_of(std::move(numbers), 0);
}

}  // namespace

std::vector<Finding> implausible_findings(const std::vector<Check>& checks) {
  std::vector<Finding> out;
  for (const Check& check : checks) {
    if (!check.implausible()) continue;
    out.push_back(
        {"error", "implausible",
         fmt::format("{}: {} is IMPLAUSIBLE: {}", check.subject, check.figure, check.arithmetic()),
         fmt::format("do not quote this figure: it is above the limit of {}; the clock, the count or the "
                     "hardware's description (network.nics, configs/hardware) is wrong",
                     check.resource),
         "", 0});
  }
  return out;
}

std::vector<Finding> nic_findings(const std::vector<NcclGroup>& nccl) {
  std::vector<Finding> out;
  for (const NcclGroup& group : nccl) {
    for (const NicRate& nic : group.nics) {
      if (!nic.lags) continue;
      out.push_back({"warning", "nic_lags", fmt::format("{}: {} {}", group.label(), nic.name, nic.note),
                     "check this port's link speed, cable, PFC/ECN counters and PCIe slot; rings run at the "
                     "pace of the "
                     "slowest NIC",
                     nic.node, 0});
    }
  }
  return out;
}

std::vector<Finding> recorded_findings(const Dataset& dataset) {
  std::vector<Finding> out;
  for (const auto& entry : dataset.findings) out.push_back(from_record(entry));
  for (const TaskData& task : dataset.tasks) {
    for (const auto& entry : task.of<record::Finding>()) out.push_back(from_record(entry));
  }
  return out;
}

std::vector<Finding> training_findings(const std::vector<SftGroup>& sft) {
  std::vector<Finding> out;
  for (const SftGroup& group : sft) add_sft(group, out);
  return out;
}

std::vector<Finding> journal_findings(const Dataset& dataset) {
  std::vector<Finding> out;
  if (!dataset.torn_lines.empty()) {
    out.push_back(
        {"warning", "torn_line",
         fmt::format("records.jsonl has lines that are cut off: {}", some_lines(dataset.torn_lines)),
         "they were being written when the run was interrupted; all figures come from the other lines",
         "records.jsonl", dataset.torn_lines.front()});
  }
  if (!dataset.damaged_lines.empty()) {
    out.push_back(
        {"error", "damaged_record",
         fmt::format("records.jsonl has lines that are no records of sxbench: {}",
                     some_lines(dataset.damaged_lines)),
         "the file was changed, or its disk is broken: figures that these lines belong to are missing "
         "or come from too few of them; measure again",
         "records.jsonl", dataset.damaged_lines.front()});
  }
  if (!dataset.complete) {
    out.push_back({"warning", "unfinished_run",
                   "the journal has no run_end record: the run was interrupted or still goes on",
                   "figures cover the tasks that ended", "records.jsonl", 0});
  }
  return out;
}

std::vector<Finding> missing_source_findings(const std::vector<SftGroup>& sft) {
  std::vector<Finding> out;
  std::vector<std::pair<std::pair<std::string, std::string>, std::vector<std::string>>> sources;
  for (const SftGroup& group : sft) {
    for (const SftTask& item : group.tasks) {
      if (item.task->status() != TaskStatus::kOk) continue;
      for (const MissingSource& missing : item.samples.missing) {
        const auto key = std::pair{missing.name, missing.reason};
        auto it = std::find_if(sources.begin(), sources.end(),
                               [&](const auto& entry) { return entry.first == key; });
        if (it == sources.end()) it = sources.insert(sources.end(), {key, {}});
        if (std::find(it->second.begin(), it->second.end(), missing.node) == it->second.end()) {
          it->second.push_back(missing.node);
        }
      }
    }
  }
  for (const auto& [source, nodes] : sources) {
    out.push_back({"info", "missing_source",
                   fmt::format("{} was not measured: {}", source.first, source.second), "", join(nodes, ", "),
                   0});
  }
  return out;
}

std::vector<Finding> device_findings(const std::vector<GpuGroup>& gpu, const std::vector<BurnTask>& burns) {
  std::vector<Finding> out;
  for (const GpuGroup& group : gpu) {
    for (const GpuFigure& figure : group.figures) {
      std::vector<std::string> unsettled;
      for (const GpuValue& value : figure.values) {
        if (!value.stable) unsettled.push_back(value.name());
      }
      if (unsettled.empty()) continue;
      out.push_back({"info", "gpu_unsettled",
                     fmt::format("{} of {}: the runs still varied when they were used up ({})", figure.test,
                                 figure.shape, some_of(unsettled, figure.values.size())),
                     "more with --runs, on an idle machine", "", 0});
    }
  }
  for (const BurnTask& burn : burns) {
    for (const BurnGpu& device : burn.gpus) {
      if (device.use)
        add_throttling(fmt::format("burn {}: {}", burn.label(), device.name()), *device.use, out);
    }
  }
  return out;
}

void sort_by_severity(std::vector<Finding>& findings) {
  const auto weight = [](const Finding& finding) {
    return finding.severity == "error" ? 0 : finding.severity == "warning" ? 1 : 2;
  };
  std::stable_sort(findings.begin(), findings.end(),
                   [&](const Finding& a, const Finding& b) { return weight(a) < weight(b); });
}

}  // namespace sxb::analysis
