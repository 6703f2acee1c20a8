#include "report/document/format.h"
#include "report/exports/exports.h"
#include "report/exports/summary_parts.h"

namespace sxb::report {
namespace {

using analysis::PartFigures;
using analysis::RankTime;
using analysis::SftGroup;
using analysis::StepBreakdown;

Json rank_json(const RankTime* rank) {
  if (rank == nullptr) return nullptr;
  return {{"ms", rank->ms}, {"rank", rank->rank}, {"node", rank->node}};
}

Json part_json(const PartFigures& part, bool with_samples) {
  Json json = {{"ms_median", json_or_null(part.ms)},
               {"share_of_step", json_or_null(part.share)},
               {"fastest", rank_json(part.fastest())},
               {"slowest", rank_json(part.slowest())}};
  if (!with_samples) return json;
  json["sm_active_pct"] = json_or_null(part.sm_active_pct);
  json["tensor_active_pct"] = json_or_null(part.tensor_active_pct);
  json["dram_active_pct"] = json_or_null(part.dram_active_pct);
  json["gpm_samples"] = part.activity.sm_active_pct.count;
  json["power_w"] = json_or_null(part.power_w);
  json["power_samples"] = part.activity.power_w.count;
  json["energy_mj_per_token"] = json_or_null(part.energy_mj_per_token);
  return json;
}

std::vector<std::string> rank_cells(const RankTime* rank) {
  if (rank == nullptr) return {"", ""};
  return {csv(std::optional(rank->ms)), std::to_string(rank->rank)};
}

std::string part_row(const SftGroup& group, std::size_t index) {
  const PartFigures& part = group.phases.parts[index];
  std::vector<std::string> cells = {csv(group.model), std::to_string(group.nodes),
                                    analysis::kParts[index].name, csv(part.ms), csv(part.share)};
  for (const RankTime* rank : {part.fastest(), part.slowest()}) {
    for (std::string& cell : rank_cells(rank)) cells.push_back(std::move(cell));
  }
  for (const auto& value : {part.sm_active_pct, part.tensor_active_pct, part.dram_active_pct})
    cells.push_back(csv(value));
  const bool sampled = index != analysis::kExposed;
  cells.push_back(sampled ? std::to_string(part.activity.sm_active_pct.count) : "");
  cells.push_back(csv(part.power_w));
  cells.push_back(sampled ? std::to_string(part.activity.power_w.count) : "");
  cells.push_back(csv(part.energy_mj_per_token));
  return csv_line(cells);
}

}  // namespace

Json phases_json(const StepBreakdown& breakdown) {
  if (breakdown.steps == 0) return nullptr;
  Json json = {{"measured_steps", breakdown.steps},
               {"step_ms_median", json_or_null(breakdown.step_ms)},
               {"share_in_no_phase", json_or_null(breakdown.rest_share)}};
  for (std::size_t i = 0; i < breakdown.parts.size(); ++i)
    json[analysis::kParts[i].name] = part_json(breakdown.parts[i], i != analysis::kExposed);
  return json;
}

std::string phases_csv(const analysis::Analysis& analysis) {
  std::string out =
      csv_line({"model_size", "nodes", "part", "ms_median", "share_of_step", "fastest_ms", "fastest_rank",
                "slowest_ms", "slowest_rank", "sm_active_pct", "tensor_active_pct", "dram_active_pct",
                "gpm_samples", "power_w", "power_samples", "energy_mj_per_token"});
  for (const SftGroup& group : analysis.sft) {
    for (std::size_t i = 0; i < group.phases.parts.size(); ++i) out += part_row(group, i);
  }
  return out;
}

}  // namespace sxb::report
