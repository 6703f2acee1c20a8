// Where the step goes: time per phase, communication that shows, and what the GPUs did in each.
#include <fmt/format.h>

#include <cmath>

#include "base/text.h"
#include "report/document/format.h"
#include "report/sections/sections.h"

namespace sxb::report {
namespace {

using analysis::Analysis;
using analysis::kExposed;
using analysis::kParts;
using analysis::PartFigures;
using analysis::RankTime;
using analysis::SftGroup;
using analysis::StepBreakdown;
using record::Hint;

/// NVML's GPM wants more than 100 ms between two reads; the sampler leaves 105.
constexpr double kGpmSpanMs = 105;
/// Shares of the step below this are rounding.
constexpr double kNoticeableShare = 0.001;

std::string rank_cell(const SftGroup& group, const RankTime* rank) {
  if (rank == nullptr) return "–";
  const std::string node = group.nodes > 1 ? ", " + rank->node : "";
  return fmt::format("{} (rank {}{})", sensible(rank->ms), rank->rank, node);
}

std::vector<std::string> part_row(const SftGroup& group, std::size_t index) {
  const PartFigures& part = group.phases.parts[index];
  const auto& activity = part.activity;
  const bool sampled = index != kExposed;
  return {group.model,
          std::to_string(group.nodes),
          kParts[index].title,
          cell(part.ms),
          cell(part.share, Hint::kRatio),
          rank_cell(group, part.fastest()),
          rank_cell(group, part.slowest()),
          cell(part.sm_active_pct, Hint::kPercent),
          cell(part.tensor_active_pct, Hint::kPercent),
          cell(part.dram_active_pct, Hint::kPercent),
          cell(part.power_w),
          cell(part.energy_mj_per_token),
          sampled ? std::to_string(activity.sm_active_pct.count) : "–",
          sampled ? std::to_string(activity.power_w.count) : "–"};
}

/// The whole step, from the means over the measured window.
std::vector<std::string> step_row(const SftGroup& group) {
  const auto figure = [&](const char* name) { return group.figures.get(name); };
  return {group.model,
          std::to_string(group.nodes),
          "whole step",
          cell(group.phases.step_ms),
          "100.0",
          "–",
          "–",
          cell(figure("sm_active_pct"), Hint::kPercent),
          cell(figure("tensor_active_pct"), Hint::kPercent),
          cell(figure("dram_active_pct"), Hint::kPercent),
          cell(figure("power_w_mean_per_gpu")),
          cell(figure("energy_mj_per_token")),
          "–",
          "–"};
}

void add_rows(const SftGroup& group, Table& table) {
  for (std::size_t i = 0; i <= kExposed; ++i) table.rows.push_back(part_row(group, i));
  if (const auto& rest = group.phases.rest_share; rest && std::abs(*rest) >= kNoticeableShare) {
    std::vector<std::string> row(table.columns.size(), "–");
    row[0] = group.model;
    row[1] = std::to_string(group.nodes);
    row[2] = "in no part";
    row[4] = cell(rest, Hint::kRatio);
    table.rows.push_back(std::move(row));
  }
  table.rows.push_back(step_row(group));
}

BarChart phase_chart(const std::vector<const SftGroup*>& groups) {
  BarChart chart{"Where the step goes", "% of the step", {}, {}};
  for (const analysis::PartInfo& part : kParts) chart.parts.emplace_back(part.title);
  for (const SftGroup* group : groups) {
    BarChart::Row row{group_label(*group), cell(group->phases.step_ms) + " ms", {}};
    for (const PartFigures& part : group->phases.parts) row.percent.push_back(*part.share * 100);
    chart.rows.push_back(std::move(row));
  }
  return chart;
}

/// Why a phase has too few samples that describe `span_ms` each, or how to get more.
std::string remedy(const StepBreakdown& phases, std::size_t index, double span_ms, const char* more) {
  if (phases.alternating && index + 1 < kExposed) {
    return "forward and backward alternate within a step; `--set training.grad_accumulation=1` separates "
           "them";
  }
  if (phases.parts[index].ms.value_or(0) < analysis::kPhaseOverlap * span_ms) {
    return fmt::format("one describes {:.0f} ms, longer than this phase: no interval catches it", span_ms);
  }
  return more;
}

std::string at_rate(const std::optional<double>& seconds) {
  return seconds && *seconds > 0 ? fmt::format(" at {:.3g} Hz", 1 / *seconds) : "";
}

void list_missing(const SftGroup& group, std::vector<std::string>& items) {
  const StepBreakdown& phases = group.phases;
  const std::string label = group_label(group);
  if (!phases.tick_s) {
    items.push_back(fmt::format("{}: activity and power missing: no GPU was sampled", label));
    return;
  }
  if (!phases.gpm_s) {
    items.push_back(fmt::format(
        "{}: SM, tensor and DRAM activity missing: no sample has GPM figures (Hopper and later, outside MIG)",
        label));
  }
  for (std::size_t i = 0; i < kExposed; ++i) {
    const auto& activity = phases.parts[i].activity;
    const auto too_few = [](const analysis::Tally& tally) {
      return tally.count < analysis::kMinPhaseSamples;
    };
    if (phases.gpm_s && too_few(activity.sm_active_pct)) {
      items.push_back(fmt::format(
          "{}, {}: SM, tensor and DRAM activity missing: {} samples{} ({} needed); {}", label,
          kParts[i].title, activity.sm_active_pct.count, at_rate(phases.tick_s), analysis::kMinPhaseSamples,
          remedy(phases, i, kGpmSpanMs,
                 "more with a higher `--steps`, or with `--metrics-interval-ms 110`, at "
                 "which every sample carries GPM")));
    }
    if (too_few(activity.power_w)) {
      items.push_back(fmt::format("{}, {}: power and energy missing: {} samples{} ({} needed); {}", label,
                                  kParts[i].title, activity.power_w.count, at_rate(phases.tick_s),
                                  analysis::kMinPhaseSamples,
                                  remedy(phases, i, phases.power_span_s.value_or(0) * 1e3,
                                         "more with a higher `--steps` or a lower `--metrics-interval-ms`")));
    }
  }
}

void add_explanation(Document& document) {
  document.add(
      Paragraph{"Times are medians over the measured steps of rank 0, by marks on its compute stream; shares "
                "are sums over "
                "sums. Forward, backward (with head and loss) and optimizer count without their waits, "
                "exposed communication "
                "is the sum of the waits of the compute stream. The fastest and the slowest rank are those "
                "of the ranks' own "
                "medians."});
  document.add(Paragraph{fmt::format(
      "A sample counts for a phase when at least {:.0f} % of the time it describes lie in that phase of a "
      "measured step wherever its waits fell, and for none otherwise: GPM figures describe the time since "
      "the last reading, power "
      "about 125 ms (a second where the driver has no instant reading). All GPUs count together. Energy = "
      "power x median time / tokens of a step on one GPU.",
      analysis::kPhaseOverlap * 100)});
}

void add_without_times(const Analysis& analysis, Document& document) {
  std::vector<std::string> labels;
  for (const SftGroup& group : analysis.sft) {
    if (group.ok > 0 && group.phases.steps == 0) labels.push_back(group_label(group));
  }
  if (labels.empty()) return;
  document.add(Paragraph{
      fmt::format("Missing for {}: the `step` records hold no phase times (`forward_ms`, `backward_ms`, "
                  "`optimizer_ms`, `exposed_comm_ms`); this version of sxbench records them.",
                  join(labels, "; "))});
}

void add_traces(const Analysis& analysis, Document& document) {
  if (analysis.dataset->traces.empty()) return;
  document.add(Heading{3, "Traces"});
  document.add(Paragraph{"One step each, for `ui.perfetto.dev` or `chrome://tracing`:"});
  Links links;
  for (const std::string& name : analysis.dataset->traces) links.paths.push_back("../traces/" + name);
  document.add(std::move(links));
}

}  // namespace

void add_phases(const Analysis& analysis, Document& document) {
  std::vector<const SftGroup*> groups;
  for (const SftGroup& group : analysis.sft) {
    if (group.phases.steps > 0) groups.push_back(&group);
  }
  if (!groups.empty()) {
    document.add(Figure{"phases", phase_chart(groups)});
    Table table{{{"Model"},
                 {"Nodes", true},
                 {"Part"},
                 {"Median (ms)", true},
                 {"Share (%)", true},
                 {"Fastest rank (ms)", true},
                 {"Slowest rank (ms)", true},
                 {"SM (%)", true},
                 {"Tensor (%)", true},
                 {"DRAM (%)", true},
                 {"Power (W)", true},
                 {"Energy per token (mJ)", true},
                 {"GPM samples", true},
                 {"Power samples", true}},
                {}};
    std::vector<std::string> missing;
    for (const SftGroup* group : groups) {
      add_rows(*group, table);
      list_missing(*group, missing);
    }
    document.add(std::move(table));
    if (!missing.empty()) document.add(List{std::move(missing)});
    add_explanation(document);
  }
  add_without_times(analysis, document);
  add_traces(analysis, document);
}

}  // namespace sxb::report
