#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "analysis/nccl/nccl_rows.h"
#include "record/kinds/training.h"
#include "report/sections/sections.h"

namespace sxb::report {
namespace {

using analysis::Analysis;
using analysis::GpuMetric;
using analysis::GpuUse;
using analysis::SftGroup;
using analysis::SftTask;
using analysis::TaskStatus;

constexpr std::size_t kPoints = 300;  ///< of one line; more cannot be seen

/// The first repeat of a group that has steps; nullptr if none has.
const SftTask* representative(const SftGroup& group) {
  for (const SftTask& item : group.tasks) {
    if (item.task->status() == TaskStatus::kOk && !item.task->of<record::Step>().empty()) return &item;
  }
  return nullptr;
}

LineChart chart_over_steps(const Analysis& analysis, std::optional<double> record::Step::*field,
                           const char* title, const char* y_label) {
  LineChart chart{title, "optimizer step", y_label, false, false, {}};
  for (const SftGroup& group : analysis.sft) {
    const SftTask* item = representative(group);
    if (item == nullptr) continue;
    Series series{group_label(group), {}};
    for (const analysis::Typed<record::Step>& row : item->task->of<record::Step>()) {
      const record::Step& step = row.data;
      if (step.step && step.*field)
        series.points.emplace_back(static_cast<double>(*step.step), *(step.*field));
    }
    series.points = thin(series.points, kPoints);
    chart.series.push_back(std::move(series));
  }
  return chart;
}

/// Of a split into many groups the lines cannot be told apart: then the slowest, the median and the fastest.
bool has_line(const Analysis& analysis, const analysis::NcclGroup& group) {
  constexpr std::size_t kMostLines = 4;
  std::vector<const analysis::NcclGroup*> groups;
  for (const analysis::NcclGroup& other : analysis.nccl) {
    if (analysis::of_one_split(group, other)) groups.push_back(&other);
  }
  if (groups.size() <= kMostLines) return true;
  std::stable_sort(groups.begin(), groups.end(), [](const auto* a, const auto* b) {
    return a->of_median_group.value_or(0) < b->of_median_group.value_or(0);
  });
  return &group == groups.front() || &group == groups[groups.size() / 2] || &group == groups.back();
}

/// Mean over the GPUs of a task per time bin; each GPU's time counts from its first sample in the window.
std::vector<std::pair<double, double>> mean_over_time(const SftTask& item, GpuMetric metric) {
  constexpr double kBins = 200;
  const double width = std::max(item.samples.window_s / kBins, 1e-9);
  std::map<int, std::pair<double, int>> bins;
  for (const GpuUse& use : item.samples.gpus) {
    std::optional<std::int64_t> begin;
    for (const analysis::GpuSample& sample : use.thinned) {
      if (!sample.in_window) continue;
      if (!begin) begin = sample.mono_ns;
      if (!sample[metric]) continue;
      const double seconds = static_cast<double>(sample.mono_ns - *begin) * 1e-9;
      auto& [sum, count] = bins[static_cast<int>(seconds / width)];
      sum += *sample[metric];
      ++count;
    }
  }
  std::vector<std::pair<double, double>> points;
  points.reserve(bins.size());
  for (const auto& [bin, total] : bins) points.emplace_back((bin + 0.5) * width, total.first / total.second);
  return points;
}

}  // namespace

std::string group_label(const SftGroup& group) {
  return fmt::format("{}, {}", group.model, analysis::on_nodes(group.nodes));
}

LineChart loss_chart(const Analysis& analysis) {
  return chart_over_steps(analysis, &record::Step::loss, "Training loss", "loss");
}

LineChart step_time_chart(const Analysis& analysis) {
  LineChart chart =
      chart_over_steps(analysis, &record::Step::step_time_ms, "Step time, warm-up included", "ms");
  chart.y_from_zero = true;
  return chart;
}

LineChart scaling_chart(const Analysis& analysis) {
  LineChart chart{"Throughput over nodes", "nodes", "samples/s", false, true, {}};
  for (const SftGroup& group : analysis.sft) {
    const auto throughput = group.figures.get("samples_per_sec");
    if (!throughput) continue;
    auto it = std::find_if(chart.series.begin(), chart.series.end(),
                           [&](const Series& series) { return series.name == group.model; });
    if (it == chart.series.end()) it = chart.series.insert(chart.series.end(), {group.model, {}});
    it->points.emplace_back(group.nodes, *throughput);
  }
  // One node count says nothing on scaling.
  std::erase_if(chart.series, [](const Series& series) { return series.points.size() < 2; });
  for (Series& series : chart.series) std::sort(series.points.begin(), series.points.end());
  return chart;
}

LineChart busbw_chart(const Analysis& analysis) {
  LineChart chart{"Bus bandwidth over message size (out of place)", "size", "busbw GB/s", true, true, {}};
  for (const analysis::NcclGroup& group : analysis.nccl) {
    if (!has_line(analysis, group)) continue;
    Series series{group.label(), {}};
    for (const analysis::SweepRow& row : group.rows) {
      if (row.out_of_place.busbw_gBps) {
        series.points.emplace_back(static_cast<double>(row.size_bytes), *row.out_of_place.busbw_gBps);
      }
    }
    if (!series.points.empty()) chart.series.push_back(std::move(series));
  }
  return chart;
}

LineChart gpu_chart(const Analysis& analysis, GpuMetric metric, const char* title, const char* y_label) {
  LineChart chart{title, "s in the measured window", y_label, false, true, {}};
  for (const SftGroup& group : analysis.sft) {
    const SftTask* item = representative(group);
    if (item == nullptr) continue;
    Series series{group_label(group), mean_over_time(*item, metric)};
    if (!series.points.empty()) chart.series.push_back(std::move(series));
  }
  return chart;
}

}  // namespace sxb::report
