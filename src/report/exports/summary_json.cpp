// RUN/summary.json. Every figure carries its unit and the kinds of records it was computed from; the
// task's `evidence` says on which lines of records.jsonl and in which samples files those are.
#include <fmt/format.h>

#include "base/clock.h"
#include "base/text.h"
#include "record/kinds/run.h"
#include "report/document/format.h"
#include "report/exports/exports.h"
#include "report/exports/summary_parts.h"

namespace sxb::report {
namespace {

using analysis::Analysis;
using analysis::NcclGroup;
using analysis::SftGroup;
using analysis::SftTask;
using analysis::TaskData;

Json run_json(const Analysis& analysis) {
  const analysis::Dataset& dataset = *analysis.dataset;
  const record::Run& run = dataset.asked;
  Json json = {{"run_id", run.run_id},
               {"name", run.name},
               {"command", run.command},
               {"build_id", run.build_id},
               {"config_hash", run.config_hash}};
  json["started"] = format_utc(dataset.start_wall_ns);
  json["ended"] = format_utc(dataset.end_wall_ns);
  json["complete"] = dataset.complete;
  json["device"] = analysis.cuda && analysis.cpu ? "mixed"
                   : analysis.cuda               ? "cuda"
                   : analysis.cpu                ? "cpu"
                                                 : "unknown";
  return json;
}

Json evidence_json(const TaskData& task, const analysis::TaskSamples* samples) {
  Json json = Json::object();
  for (const auto& [kind, entries] : task.kinds) {
    json[kind] = {
        {"count", entries.size()}, {"first_line", entries.front().line}, {"last_line", entries.back().line}};
  }
  if (task.end)
    json["task_end"] = {{"count", 1}, {"first_line", task.end->line}, {"last_line", task.end->line}};
  if (samples == nullptr) return json;
  json["sample"] = Json::array();
  for (const analysis::SampleFile& file : samples->files) {
    json["sample"].push_back({{"file", file.name}, {"lines", file.lines}, {"in_window", file.in_window}});
  }
  return json;
}

Json figures_with_sources(const analysis::Figures& figures) {
  Json json = Json::object();
  for (const auto& [info, value] : figures.values()) {
    json[info->name] = {{"value", json_number(value, info->hint)},
                        {"unit", info->unit},
                        {"from", Json(split(info->sources, '+'))}};
  }
  return json;
}

Json task_json(const TaskData& task, const SftTask* sft) {
  Json json = {{"id", task.id},
               {"phase", task.phase},
               {"label", task.label},
               {"nodes", task.nodes},
               {"repeat", task.repeat},
               {"attempt", task.attempt},
               {"status", analysis::to_string(task.status())}};
  if (!task.reason().empty()) json["reason"] = task.reason();
  if (task.end) json["duration_s"] = json_or_null(task.last<record::TaskEnd>().duration_s);
  if (sft != nullptr) json["figures"] = figures_with_sources(sft->figures);
  json["evidence"] = evidence_json(task, sft != nullptr ? &sft->samples : nullptr);
  return json;
}

Json tasks_json(const Analysis& analysis) {
  Json json = Json::array();
  for (const TaskData& task : analysis.dataset->tasks) {
    const SftTask* sft = nullptr;
    for (const SftGroup& group : analysis.sft) {
      for (const SftTask& item : group.tasks) {
        if (item.task == &task) sft = &item;
      }
    }
    json.push_back(task_json(task, sft));
  }
  return json;
}

Json sft_json(const Analysis& analysis) {
  Json json = Json::array();
  for (const SftGroup& group : analysis.sft) {
    Json ids = Json::array();
    for (const SftTask& item : group.tasks) ids.push_back(item.task->id);
    Json figures = Json::object();
    for (const auto& [info, value] : group.figures.values())
      figures[info->name] = json_number(value, info->hint);
    json.push_back({{"model", group.model},
                    {"nodes", group.nodes},
                    {"tasks", std::move(ids)},
                    {"status", group.status()},
                    {"repeats_ok", group.ok},
                    {"figures", std::move(figures)},
                    {"phases", phases_json(group.phases)},
                    {"repeat_spread", json_or_null(group.repeat_spread)},
                    {"step_noise", json_or_null(group.step_noise)},
                    {"unstable", group.unstable},
                    {"implausible", group.implausible},
                    {"base_nodes", json_or_null(group.base_nodes)},
                    {"speedup", json_or_null(group.speedup)},
                    {"scaling_efficiency", json_or_null(group.efficiency)}});
  }
  return json;
}

Json bandwidth_json(const analysis::Bandwidth& bandwidth) {
  return {{"time_us", json_or_null(bandwidth.time_us)},
          {"algbw_gBps", json_or_null(bandwidth.algbw_gBps)},
          {"busbw_gBps", json_or_null(bandwidth.busbw_gBps)},
          {"wrong", json_number(bandwidth.wrong, record::Hint::kCount)},
          {"p50_us", json_or_null(bandwidth.p50_us)},
          {"p95_us", json_or_null(bandwidth.p95_us)},
          {"p99_us", json_or_null(bandwidth.p99_us)},
          {"cv_pct", json_or_null(bandwidth.cv_pct)},
          {"rank_spread_pct", json_or_null(bandwidth.rank_spread_pct)},
          {"slowest_rank", json_or_null(bandwidth.slowest_rank)}};
}

Json nccl_json(const Analysis& analysis) {
  Json json = Json::array();
  for (const NcclGroup& group : analysis.nccl) {
    Json ids = Json::array();
    for (const TaskData* task : group.tasks) ids.push_back(task->id);
    Json rows = Json::array();
    for (const analysis::SweepRow& row : group.rows) {
      rows.push_back({{"size_bytes", row.size_bytes},
                      {"count", row.count},
                      {"dtype", row.dtype},
                      {"redop", row.redop},
                      {"out_of_place", bandwidth_json(row.out_of_place)},
                      {"in_place", bandwidth_json(row.in_place)},
                      {"algorithm", row.algorithm},
                      {"protocol", row.protocol},
                      {"channels", json_or_null(row.channels)},
                      {"path", row.path},
                      {"implausible", row.implausible},
                      {"verdict", to_string(row.mark)},
                      {"why", row.why},
                      {"expected_us", json_or_null(row.expected_us)},
                      {"of_expected", json_or_null(row.of_expected())}});
    }
    Json limit = nullptr;
    if (group.limit) {
      limit = {{"busbw_gBps", group.limit->busbw_gBps},
               {"resource", group.limit->resource},
               {"arithmetic", group.limit->arithmetic}};
    }
    json.push_back({{"collective", group.collective},
                    {"split", group.split},
                    {"group", group.group},
                    {"groups", group.groups},
                    {"group_ranks", group.group_ranks},
                    {"of_median_group", json_or_null(group.of_median_group)},
                    {"dtype", group.dtype},
                    {"redop", group.redop},
                    {"root", group.root},
                    {"nodes", group.nodes},
                    {"ranks", group.ranks},
                    {"hosts", group.hosts},
                    {"backend", group.backend},
                    {"tasks", std::move(ids)},
                    {"status", group.status()},
                    {"repeats_ok", group.ok},
                    {"limit", std::move(limit)},
                    {"overhead_us", json_or_null(group.overhead_us)},
                    {"wire_gbps", json_or_null(group.wire_gbps)},
                    {"line_gbps", json_or_null(group.line_gbps)},
                    {"expected", expected_json(group)},
                    {"rows", std::move(rows)}});
  }
  return json;
}

}  // namespace

std::string summary_json(const Analysis& analysis) {
  Json verdicts = Json::array();
  for (const analysis::Verdict& verdict : analysis.verdicts) {
    verdicts.push_back({{"item", verdict.item},
                        {"required", verdict.required},
                        {"achieved", verdict.achieved},
                        {"status", analysis::to_string(verdict.mark)},
                        {"note", verdict.note}});
  }
  Json findings = Json::array();
  for (const analysis::Finding& finding : analysis.findings) {
    findings.push_back({{"severity", finding.severity},
                        {"code", finding.code},
                        {"message", finding.message},
                        {"help", finding.help},
                        {"where", finding.where},
                        {"line", finding.line > 0 ? Json(finding.line) : Json(nullptr)}});
  }
  Json json = {{"schema", 1},
               {"run", run_json(analysis)},
               {"goals_met", analysis.goals_met()},
               {"verdicts", std::move(verdicts)},
               {"findings", std::move(findings)},
               {"speed_of_light", checks_json(analysis.checks())},
               {"tasks", tasks_json(analysis)},
               {"sft", sft_json(analysis)},
               {"nccl", nccl_json(analysis)}};
  if (!analysis.searches.empty()) json["locate"] = locate_json(analysis);
  if (!analysis.gpu.empty()) json["gpu"] = gpu_json(analysis);
  if (!analysis.burns.empty()) json["burn"] = burn_json(analysis);
  return readable_json(json);
}

}  // namespace sxb::report
