// Fine-tuning: throughput, step times, use of the device and scaling, from the figure table.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "record/kinds/training.h"
#include "report/document/format.h"
#include "report/sections/sections.h"

namespace sxb::report {
namespace {

using analysis::Analysis;
using analysis::SftGroup;
using analysis::SftTask;

/// Column from the figure table: unit and format are the table's, the heading is short.
struct FigureColumn {
  const char* figure;
  const char* title;
};

std::string heading(const FigureColumn& column) {
  const analysis::FigureInfo& info = analysis::figure_info(column.figure);
  const std::string unit = shown_unit(info.hint, info.unit);
  return unit.empty() ? column.title : fmt::format("{} ({})", column.title, unit);
}

/// Model, nodes and the columns that at least one group has a value for.
Table figure_table(const Analysis& analysis, std::initializer_list<FigureColumn> columns) {
  Table table{{{"Model"}, {"Nodes", true}}, {}};
  std::vector<FigureColumn> shown;
  for (const FigureColumn& column : columns) {
    bool any = false;
    for (const SftGroup& group : analysis.sft) any = any || group.figures.get(column.figure).has_value();
    if (!any) continue;
    shown.push_back(column);
    table.columns.push_back({heading(column), true});
  }
  for (const SftGroup& group : analysis.sft) {
    std::vector<std::string> row = {group.model, std::to_string(group.nodes)};
    for (const FigureColumn& column : shown) {
      row.push_back(cell(group.figures.get(column.figure), analysis::figure_info(column.figure).hint));
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::string marks(const SftGroup& group) {
  std::vector<std::string> words = {group.status()};
  if (group.unstable) words.push_back("UNSTABLE");
  if (group.implausible) words.push_back("IMPLAUSIBLE");
  return join(words, ", ");
}

void add_throughput(const Analysis& analysis, Document& document) {
  document.add(Heading{3, "Throughput"});
  Table table = figure_table(
      analysis, {{"gpus", analysis.cuda ? "GPUs" : "CPU ranks"},
                 {"samples_per_sec", "Samples"},
                 {"tokens_per_sec", "Tokens"},
                 {"tokens_per_sec_per_gpu", analysis.cuda ? "Tokens per GPU" : "Tokens per rank"},
                 {"tokens_per_sec_per_gpu_low", "95 % from"},
                 {"tokens_per_sec_per_gpu_high", "to"},
                 {"peak_memory_gib", "Peak memory"},
                 {"predicted_memory_gib", "Predicted"},
                 {"memory_off_prediction", "Off prediction"},
                 {"loss_first", "First loss"},
                 {"loss_last", "Last loss"},
                 {"energy_mj_per_token", "Energy per token"}});
  table.columns.push_back({"Repeats ok", true});
  table.columns.push_back({"Status"});
  for (std::size_t i = 0; i < analysis.sft.size(); ++i) {
    const SftGroup& group = analysis.sft[i];
    table.rows[i].push_back(fmt::format("{} of {}", group.ok, group.tasks.size()));
    table.rows[i].push_back(marks(group));
  }
  document.add(std::move(table));
  document.add(Paragraph{
      "Throughput is the work of the measured steps over their time; padding and warm-up count nowhere. "
      "With several repeats each figure is the median over them."});
}

void add_step_times(const Analysis& analysis, Document& document) {
  document.add(Heading{3, "Step time"});
  Table table = figure_table(analysis, {{"measured_steps", "Steps"},
                                        {"step_time_ms_median", "Median"},
                                        {"step_time_ms_median_low", "95 % from"},
                                        {"step_time_ms_median_high", "to"},
                                        {"step_time_ms_p5", "p5"},
                                        {"step_time_ms_p95", "p95"},
                                        {"step_time_ms_mad", "MAD"},
                                        {"step_outliers", "Outliers"},
                                        {"data_wait_ms_median", "Data wait"},
                                        {"rank_spread", "Spread of ranks"}});
  table.columns.push_back({"Spread of repeats (%)", true});
  for (std::size_t i = 0; i < analysis.sft.size(); ++i) {
    table.rows[i].push_back(cell(analysis.sft[i].repeat_spread, record::Hint::kRatio));
  }
  document.add(std::move(table));
  document.add(
      Paragraph{"Measured steps only; the time of a step is that of its slowest rank. The intervals of one "
                "repeat know the "
                "spread of its steps, those of several the spread between them (docs/compare.md). Outliers, "
                "more than 3.5 "
                "sigma and 5 % off the median, are marked and stay in every figure. Where repeats or steps "
                "spread by more "
                "than 5 % the status says UNSTABLE."});
}

void add_checkpoints(const Analysis& analysis, Document& document) {
  Table table = figure_table(analysis, {{"resumed_step", "Resumed after step"},
                                        {"checkpoints", "Checkpoints"},
                                        {"checkpoint_gib", "Size"},
                                        {"checkpoint_s_median", "Written in, median"},
                                        {"checkpoint_gBps", "Rate"}});
  constexpr std::size_t kModelAndNodes = 2;
  if (table.columns.size() == kModelAndNodes) return;
  document.add(Heading{3, "Checkpoints"});
  document.add(std::move(table));
  document.add(Paragraph{
      "Written while the training went on; what that cost is in the step times. A training that was resumed "
      "counts each step once, the first steps after it as warm-up, and the time between not at all."});
}

/// Peaks that the MFU refers to, and the models that have none.
void add_peak_note(const Analysis& analysis, Document& document) {
  std::set<std::string> peaks;
  bool unknown = false;
  bool packed = false;
  for (const SftGroup& group : analysis.sft) {
    if (group.ok == 0) continue;
    for (const SftTask& item : group.tasks) {
      const auto peak = item.task->last<record::Training>().peak_tflops;
      if (peak && *peak > 0) peaks.insert(fmt::format("{:g}", *peak));
      unknown = unknown || !peak || *peak <= 0;
      packed = packed || item.figures.get("mfu_causal_as_full_sequences").has_value();
    }
  }
  if (!peaks.empty()) {
    document.add(Paragraph{
        fmt::format("Peak used for MFU: {} TFLOP/s dense BF16 per GPU. Causal counts 6N + 6 L d s FLOPs a "
                    "token, full 6N + 12 L d s (PaLM appendix B); recomputation is not counted.",
                    join({peaks.begin(), peaks.end()}, ", "))});
  }
  if (packed) {
    document.add(
        Paragraph{"Documents are packed and attention stays inside each: \"real\" counts their true "
                  "lengths, \"as full\" counts every sequence as one document, as most published figures "
                  "do."});
  }
  if (unknown) {
    document.add(Paragraph{
        "No MFU where the device's peak is unknown (CPU ranks, or a GPU that the hardware table lacks)."});
  }
}

void add_efficiency(const Analysis& analysis, Document& document) {
  document.add(Heading{3, "Model FLOPs and use of the device"});
  document.add(
      figure_table(analysis, {{"model_tflops_per_gpu", analysis.cuda ? "Model FLOP rate per GPU, causal"
                                                                     : "Model FLOP rate per rank, causal"},
                              {"model_tflops_per_gpu_full", "full"},
                              {"mfu_causal", "MFU causal, real"},
                              {"mfu_full", "MFU full, real"},
                              {"mfu_causal_as_full_sequences", "MFU causal, as full"},
                              {"mfu_full_as_full_sequences", "MFU full, as full"},
                              {"gpu_utilization", "GPU use, NVML"},
                              {"sm_active_pct", "SM active"},
                              {"tensor_active_pct", "Tensor active"},
                              {"dram_active_pct", "DRAM active"},
                              {"power_w_mean_per_gpu", "Power per GPU"},
                              {"host_cpu_pct", "Host CPU"}}));
  add_peak_note(analysis, document);
}

void add_scaling(const Analysis& analysis, Document& document) {
  document.add(Heading{3, "Scaling"});
  Table table{{{"Model"},
               {"Nodes", true},
               {"Global batch", true},
               {"Samples/s", true},
               {"Speed-up", true},
               {"Efficiency (%)", true},
               {"Base"},
               {"Kind"}},
              {}};
  for (const SftGroup& group : analysis.sft) {
    table.rows.push_back({group.model, std::to_string(group.nodes),
                          cell(group.global_batch, record::Hint::kCount),
                          cell(group.figures.get("samples_per_sec")), cell(group.speedup),
                          cell(group.efficiency, record::Hint::kRatio),
                          group.base_nodes ? analysis::on_nodes(*group.base_nodes) : "–",
                          group.scaling.empty() ? "–" : group.scaling});
  }
  document.add(std::move(table));
  document.add(
      Paragraph{"Efficiency = (throughput / throughput of the base) / (nodes / nodes of the base); the base "
                "is the smallest node count of the model that was measured. Weak scaling: the batch per "
                "rank stays, the global batch grows."});
  const bool pretended = std::any_of(analysis.sft.begin(), analysis.sft.end(), [](const SftGroup& group) {
    return group.nodes > 1 && group.hosts == 1;
  });
  if (pretended) {
    document.add(Notice{
        analysis.cuda
            ? "The nodes share one machine: no traffic between them passed a network."
            : "The nodes share one machine and its cores: the efficiency says nothing about a cluster."});
  }
}

}  // namespace

void add_sft(const Analysis& analysis, Document& document) {
  add_throughput(analysis, document);
  add_step_times(analysis, document);
  add_checkpoints(analysis, document);
  add_efficiency(analysis, document);
  add_scaling(analysis, document);
  for (Figure figure : {Figure{"scaling", scaling_chart(analysis)}, Figure{"loss", loss_chart(analysis)},
                        Figure{"step_time", step_time_chart(analysis)}}) {
    if (!is_empty(figure.chart)) document.add(std::move(figure));
  }
}

}  // namespace sxb::report
