#include <fmt/format.h>

#include "report/document/format.h"
#include "report/exports/exports.h"
#include "report/exports/summary_parts.h"

namespace sxb::report {
namespace {

using analysis::BurnGpu;
using analysis::BurnSecond;
using analysis::BurnTask;
using analysis::GpuFigure;
using analysis::GpuGroup;
using analysis::GpuValue;

std::string whole(const std::optional<double>& value) { return value ? fmt::format("{:.0f}", *value) : ""; }

bool is_slow(const GpuFigure& figure, std::size_t index) {
  for (const stats::Outlier& outlier : figure.slow) {
    if (outlier.index == index) return true;
  }
  return false;
}

Json value_json(const GpuFigure& figure, std::size_t index) {
  const GpuValue& value = figure.values[index];
  Json json = {{"node", value.node},
               {"rank", value.rank},
               {"gpu", value.gpu},
               {"shape", value.shape},
               {"value", value.value},
               {"p5", value.p5},
               {"p95", value.p95},
               {"runs", value.runs},
               {"stable", value.stable},
               {"wrong", json_number(value.wrong, record::Hint::kCount)},
               {"slow", is_slow(figure, index)}};
  if (value.peer) json["peer"] = *value.peer;
  return json;
}

Json burn_gpu_json(const BurnGpu& gpu) {
  return {{"node", gpu.node},
          {"rank", gpu.rank},
          {"gpu", gpu.gpu},
          {"tflops", gpu.tflops},
          {"least_second_tflops", gpu.least_tflops},
          {"below_median", json_or_null(gpu.below)},
          {"slow", gpu.slow},
          {"mismatches", gpu.mismatches},
          {"memory_growth_bytes", json_number(gpu.memory_growth_bytes, record::Hint::kBytes)},
          {"power_w", json_or_null(gpu.use ? gpu.use->power_w : std::nullopt)},
          {"sm_mhz", json_or_null(gpu.use ? gpu.use->sm_mhz : std::nullopt)},
          {"temp_max_c", json_or_null(gpu.use ? gpu.use->temp_max_c : std::nullopt)},
          {"throttle", gpu.use ? Json(gpu.use->throttle) : Json(nullptr)}};
}

}  // namespace

std::string gpu_benchmarks_csv(const analysis::Analysis& analysis) {
  std::string out = csv_line({"nodes", "node", "rank", "gpu", "peer", "group", "test", "shape", "metric",
                              "value", "p5", "p95", "runs", "stable", "wrong", "slow"});
  for (const GpuGroup& group : analysis.gpu) {
    for (const GpuFigure& figure : group.figures) {
      for (std::size_t i = 0; i < figure.values.size(); ++i) {
        const GpuValue& value = figure.values[i];
        out += csv_line(
            {std::to_string(group.nodes), csv(value.node), std::to_string(value.rank),
             std::to_string(value.gpu), value.peer ? std::to_string(*value.peer) : "", figure.group,
             figure.test, csv(value.shape), figure.metric, csv(std::optional(value.value)),
             csv(std::optional(value.p5)), csv(std::optional(value.p95)), fmt::format("{:g}", value.runs),
             value.stable ? "true" : "false", whole(value.wrong), is_slow(figure, i) ? "true" : "false"});
      }
    }
  }
  return out;
}

std::string burn_csv(const analysis::Analysis& analysis) {
  std::string out =
      csv_line({"task", "nodes", "node", "rank", "gpu", "second", "span_s", "tflops", "iterations",
                "mismatches", "memory_bytes", "power_w", "sm_mhz", "temp_c", "throttle"});
  for (const BurnTask& burn : analysis.burns) {
    for (const BurnGpu& gpu : burn.gpus) {
      for (const BurnSecond& second : gpu.seconds) {
        out += csv_line({burn.task->id, std::to_string(burn.nodes), csv(gpu.node), std::to_string(gpu.rank),
                         std::to_string(gpu.gpu), csv(std::optional(second.second)),
                         csv(std::optional(second.span_s)), csv(std::optional(second.tflops)),
                         fmt::format("{:g}", second.iterations), fmt::format("{:g}", second.mismatches),
                         whole(second.memory_bytes), csv(second.power_w), csv(second.sm_mhz),
                         csv(second.temp_c), csv(second.throttle)});
      }
    }
  }
  return out;
}

Json gpu_json(const analysis::Analysis& analysis) {
  Json json = Json::array();
  for (const GpuGroup& group : analysis.gpu) {
    Json ids = Json::array(), figures = Json::array(), waived = Json::array();
    for (const analysis::TaskData* task : group.tasks) ids.push_back(task->id);
    for (const GpuFigure& figure : group.figures) {
      Json values = Json::array();
      for (std::size_t i = 0; i < figure.values.size(); ++i) values.push_back(value_json(figure, i));
      figures.push_back({{"group", figure.group},
                         {"test", figure.test},
                         {"shape", figure.shape},
                         {"metric", figure.metric},
                         {"median", figure.median},
                         {"devices", std::move(values)}});
    }
    for (const analysis::Waived& one : group.waived) {
      waived.push_back({{"test", one.test}, {"why", one.why}, {"devices", one.devices}});
    }
    json.push_back({{"nodes", group.nodes},
                    {"tasks", std::move(ids)},
                    {"repeats_ok", group.ok},
                    {"figures", std::move(figures)},
                    {"waived", std::move(waived)}});
  }
  return json;
}

Json burn_json(const analysis::Analysis& analysis) {
  Json json = Json::array();
  for (const BurnTask& burn : analysis.burns) {
    Json gpus = Json::array();
    for (const BurnGpu& gpu : burn.gpus) gpus.push_back(burn_gpu_json(gpu));
    json.push_back({{"task", burn.task->id},
                    {"nodes", burn.nodes},
                    {"status", analysis::to_string(burn.task->status())},
                    {"precision", burn.precision},
                    {"size", burn.size},
                    {"streams", burn.streams},
                    {"duration_s", burn.duration_s},
                    {"total_tflops", burn.total_tflops},
                    {"median_tflops", burn.median_tflops},
                    {"devices", std::move(gpus)}});
  }
  return json;
}

}  // namespace sxb::report
