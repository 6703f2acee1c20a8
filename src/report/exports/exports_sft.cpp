#include <fmt/format.h>

#include <algorithm>

#include "analysis/read/json_read.h"
#include "base/text.h"
#include "record/kinds/training.h"
#include "record/typed.h"
#include "report/document/format.h"
#include "report/exports/exports.h"
#include "report/exports/summary_parts.h"

namespace sxb::report {
namespace {

using analysis::FigureInfo;
using analysis::GpuMetric;
using analysis::GpuSample;
using analysis::GpuUse;
using analysis::member;
using analysis::SftGroup;
using analysis::SftTask;
using analysis::TaskStatus;
using record::Hint;

/// Named by users of the first four columns; their place must not move.
constexpr const char* kFirst[] = {"samples_per_sec", "gpu_utilization"};

std::vector<const FigureInfo*> figure_columns() {
  std::vector<const FigureInfo*> columns;
  for (const char* name : kFirst) columns.push_back(&analysis::figure_info(name));
  for (const FigureInfo& info : analysis::sft_figures()) {
    if (info.name != std::string(kFirst[0]) && info.name != std::string(kFirst[1])) columns.push_back(&info);
  }
  return columns;
}

std::string whole(const std::optional<int>& value) { return value ? std::to_string(*value) : ""; }

std::string flags(const SftGroup& group) {
  std::vector<std::string> names;
  if (group.unstable) names.push_back("unstable");
  if (group.implausible) names.push_back("implausible");
  return join(names, ";");
}

std::string task_ids(const SftGroup& group) {
  std::vector<std::string> ids;
  for (const SftTask& item : group.tasks) ids.push_back(item.task->id);
  return join(ids, ";");
}

Json figure_values(const analysis::Figures& figures) {
  Json json = Json::object();
  for (const auto& [info, value] : figures.values()) json[info->name] = json_number(value, info->hint);
  return json;
}

/// Names of the fields of a step that are no column: they follow from the others, or place the step among the
/// samples.
Json fields_without_column() {
  record::Step step;
  step.documents = step.begin_ns = step.end_ns = 0;
  step.sum_len_sq = step.tokens_per_s = step.mfu = 0;
  return record::write(step);
}

/// The steps column by column: a fraction of the size of one object per step.
Json steps_json(const analysis::TaskData& task) {
  const Json left_out = fields_without_column();
  Json json = Json::object();
  for (const record::Field& field : record::fields_of<record::Step>()) {
    if (left_out.contains(field.name)) continue;
    Json column = Json::array();
    for (const analysis::Entry& entry : task.of(record::kind::kStep))
      column.push_back(member(entry.record.data, field.name));
    const bool known =
        std::any_of(column.begin(), column.end(), [](const Json& value) { return !value.is_null(); });
    if (known) json[field.name] = std::move(column);
  }
  return json;
}

Json ranks_json(const analysis::TaskData& task) {
  Json json = Json::array();
  for (const analysis::Entry& entry : task.of(record::kind::kRank)) {
    Json rank = {{"rank", entry.record.rank}, {"node", entry.record.node}};
    rank.update(entry.record.data);
    json.push_back(std::move(rank));
  }
  return json;
}

Json gpu_json(const GpuUse& use) {
  Json json = {{"node", use.node}, {"gpu", use.gpu}, {"samples", use.samples}};
  const auto put = [&](const char* name, const std::optional<double>& value) {
    if (value) json[name] = *value;
  };
  put("util_pct", use.util_pct);
  put("sm_active_pct", use.sm_active_pct);
  put("tensor_active_pct", use.tensor_active_pct);
  put("dram_active_pct", use.dram_active_pct);
  put("power_w", use.power_w);
  put("power_max_w", use.power_max_w);
  put("energy_power_w", use.energy_power_w);
  put("sm_mhz_median", use.sm_mhz);
  put("temp_max_c", use.temp_max_c);
  if (use.memory_max_bytes) json["memory_max_bytes"] = json_number(use.memory_max_bytes, Hint::kBytes);
  put("nvlink_tx_gBps", use.nvlink_tx_gBps);
  put("nvlink_rx_gBps", use.nvlink_rx_gBps);
  if (!use.throttle.empty()) json["throttle_share"] = Json(use.throttle);
  return json;
}

Json task_json(const SftGroup& group, const SftTask& item) {
  const analysis::TaskData& task = *item.task;
  Json json = {{"task", task.id},         {"model", group.model},
               {"nodes", group.nodes},    {"repeat", task.repeat},
               {"attempt", task.attempt}, {"status", analysis::to_string(task.status())}};
  if (!task.reason().empty()) json["reason"] = task.reason();
  json["training"] = task.training();
  json["figures"] = figure_values(item.figures);
  json["phases"] = phases_json(item.phases);
  json["ranks"] = ranks_json(task);
  json["steps"] = steps_json(task);
  json["gpus"] = Json::array();
  for (const GpuUse& use : item.samples.gpus) json["gpus"].push_back(gpu_json(use));
  json["networks"] = Json::array();
  for (const analysis::NicUse& nic : item.samples.nics) {
    json["networks"].push_back({{"node", nic.node},
                                {"name", nic.name},
                                {"tx_gBps", json_or_null(nic.tx_gBps)},
                                {"rx_gBps", json_or_null(nic.rx_gBps)}});
  }
  json["hosts"] = Json::array();
  for (const analysis::HostUse& host : item.samples.hosts) {
    json["hosts"].push_back({{"node", host.node},
                             {"cpu_pct", json_or_null(host.cpu_pct)},
                             {"memory_max_bytes", json_number(host.memory_max_bytes, Hint::kBytes)}});
  }
  return json;
}

/// Metrics of one sample in the columns of gpu_metrics.csv: counters as read, all others too.
void add_sample_row(const std::string& prefix, const GpuUse& use, const GpuSample& sample,
                    std::int64_t begin_ns, std::string& out) {
  std::vector<std::string> cells = {
      prefix, use.node, std::to_string(use.gpu),
      fmt::format("{:.3f}", static_cast<double>(sample.mono_ns - begin_ns) * 1e-9),
      sample.in_window ? "1" : "0"};
  for (std::size_t i = 0; i < analysis::kGpuMetrics; ++i) {
    // Byte counters have more digits than a figure; they are whole numbers.
    const auto& value = sample.values[i];
    cells.push_back(value && *value >= 1e6 ? fmt::format("{:.0f}", *value) : csv(value));
  }
  cells.push_back(csv(sample.throttle.value_or("")));
  cells.push_back(std::to_string(use.stride));
  out += csv_line(cells);
}

}  // namespace

std::string performance_summary_csv(const analysis::Analysis& analysis) {
  const std::vector<const FigureInfo*> columns = figure_columns();
  std::vector<std::string> head = {"model_size", "nodes"};
  for (const FigureInfo* info : columns) head.push_back(info->name);
  for (const char* name : {"global_batch", "scaling_efficiency", "speedup", "base_nodes", "repeats",
                           "repeats_ok", "status", "flags", "tasks"}) {
    head.push_back(name);
  }
  std::string out = csv_line(head);
  for (const SftGroup& group : analysis.sft) {
    std::vector<std::string> cells = {csv(group.model), std::to_string(group.nodes)};
    for (const FigureInfo* info : columns) cells.push_back(csv(group.figures.get(info->name)));
    for (const auto& value : {group.global_batch, group.efficiency, group.speedup})
      cells.push_back(csv(value));
    cells.insert(cells.end(), {whole(group.base_nodes), std::to_string(group.tasks.size()),
                               std::to_string(group.ok), group.status(), flags(group), task_ids(group)});
    out += csv_line(cells);
  }
  return out;
}

std::string scaling_analysis_json(const analysis::Analysis& analysis) {
  Json json = Json::object();
  for (const SftGroup& group : analysis.sft) {
    json[group.model][fmt::format("{}_nodes", group.nodes)] = {
        {"efficiency", json_or_null(group.efficiency)},
        {"speedup", json_or_null(group.speedup)},
        {"base_nodes", json_or_null(group.base_nodes)},
        {"samples_per_sec", json_or_null(group.figures.get("samples_per_sec"))},
        {"tokens_per_sec", json_or_null(group.figures.get("tokens_per_sec"))},
        {"tokens_per_sec_per_gpu", json_or_null(group.figures.get("tokens_per_sec_per_gpu"))},
        {"gpus", json_number(group.figures.get("gpus"), Hint::kCount)},
        {"scaling", group.scaling.empty() ? Json(nullptr) : Json(group.scaling)},
        {"global_batch", json_number(group.global_batch, Hint::kCount)},
        {"repeats_ok", group.ok},
        {"status", group.status()}};
  }
  return readable_json(json);
}

std::string sft_metrics_json(const analysis::Analysis& analysis) {
  Json tasks = Json::array();
  for (const SftGroup& group : analysis.sft) {
    for (const SftTask& item : group.tasks) tasks.push_back(task_json(group, item));
  }
  return readable_json({{"schema", 1}, {"tasks", std::move(tasks)}});
}

std::string gpu_metrics_csv(const analysis::Analysis& analysis) {
  std::vector<std::string> head = {"task", "node", "gpu", "t_s", "in_window"};
  for (std::size_t i = 0; i < analysis::kGpuMetrics; ++i)
    head.push_back(analysis::field_name(static_cast<GpuMetric>(i)));
  head.insert(head.end(), {"throttle", "stride"});
  std::string out = csv_line(head);
  for (const SftGroup& group : analysis.sft) {
    for (const SftTask& item : group.tasks) {
      for (const GpuUse& use : item.samples.gpus) {
        // Clocks of different nodes have nothing in common: t_s counts from the GPU's own first sample.
        for (const GpuSample& sample : use.thinned) {
          add_sample_row(item.task->id, use, sample, use.thinned.front().mono_ns, out);
        }
      }
    }
  }
  return out;
}

}  // namespace sxb::report
