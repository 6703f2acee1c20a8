#include "analysis/sft/phases.h"

#include <algorithm>
#include <map>

#include "stats/stats.h"

namespace sxb::analysis {
namespace {

std::optional<double> mean_if_enough(const Tally& tally) {
  if (tally.count < kMinPhaseSamples) return std::nullopt;
  return tally.sum / static_cast<double>(tally.count);
}

/// Columns of the measured steps that have all phase times.
struct Steps {
  std::vector<double> step_ms;
  std::vector<double> part_ms[std::size(kParts)];
  double tokens = 0;
};

Steps read_steps(const TaskData& task) {
  Steps steps;
  for (const auto& entry : task.of<record::Step>()) {
    const record::Step& step = entry.data;
    const bool timed = std::all_of(std::begin(kParts), std::end(kParts),
                                   [&](const PartInfo& part) { return (step.*part.of_step).has_value(); });
    if (!step.measured.value_or(false) || !step.begin_ns || !step.end_ns || !timed) continue;
    steps.step_ms.push_back(static_cast<double>(*step.end_ns - *step.begin_ns) * 1e-6);
    for (std::size_t i = 0; i < std::size(kParts); ++i)
      steps.part_ms[i].push_back(*(step.*kParts[i].of_step));
    steps.tokens += static_cast<double>(step.tokens.value_or(0));
  }
  return steps;
}

double sum(const std::vector<double>& values) {
  double total = 0;
  for (const double value : values) total += value;
  return total;
}

std::vector<RankTime> rank_times(const TaskData& task, const PartInfo& part) {
  std::vector<RankTime> ranks;
  for (const auto& entry : task.of<record::Phases>()) {
    if (const auto& ms = entry.data.*part.of_rank) ranks.push_back({entry.rank, entry.node, *ms});
  }
  std::sort(ranks.begin(), ranks.end(), [](const auto& a, const auto& b) { return a.rank < b.rank; });
  return ranks;
}

/// The means and what follows from them; the last step of break_down() and join_repeats().
void derive(StepBreakdown& breakdown) {
  for (PartFigures& part : breakdown.parts) {
    part.sm_active_pct = mean_if_enough(part.activity.sm_active_pct);
    part.tensor_active_pct = mean_if_enough(part.activity.tensor_active_pct);
    part.dram_active_pct = mean_if_enough(part.activity.dram_active_pct);
    part.power_w = mean_if_enough(part.activity.power_w);
    const auto& tokens = breakdown.tokens_per_gpu;
    if (part.power_w && part.ms && tokens && *tokens > 0)
      part.energy_mj_per_token = *part.power_w * *part.ms / *tokens;  // W x ms = mJ
  }
}

std::optional<double> median_of(std::vector<double> values) {
  return values.empty() ? std::nullopt : std::optional(stats::median(values));
}

template <typename Get>
std::vector<double> collect(const std::vector<const StepBreakdown*>& repeats, const Get& get) {
  std::vector<double> values;
  for (const StepBreakdown* one : repeats) {
    if (const std::optional<double> value = get(*one)) values.push_back(*value);
  }
  return values;
}

template <typename Get>
std::optional<double> mean_over(const std::vector<const StepBreakdown*>& repeats, const Get& get) {
  const std::vector<double> values = collect(repeats, get);
  return values.empty() ? std::nullopt : std::optional(stats::mean(values));
}

std::vector<RankTime> join_ranks(const std::vector<const StepBreakdown*>& repeats, std::size_t part) {
  std::map<int, std::vector<double>> times;
  std::map<int, std::string> nodes;
  for (const StepBreakdown* one : repeats) {
    for (const RankTime& rank : one->parts[part].ranks) {
      times[rank.rank].push_back(rank.ms);
      nodes[rank.rank] = rank.node;
    }
  }
  std::vector<RankTime> ranks;
  for (const auto& [rank, values] : times) ranks.push_back({rank, nodes[rank], stats::median(values)});
  return ranks;
}

bool faster(const RankTime& a, const RankTime& b) { return a.ms < b.ms; }

}  // namespace

const RankTime* PartFigures::fastest() const {
  return ranks.empty() ? nullptr : &*std::min_element(ranks.begin(), ranks.end(), faster);
}

const RankTime* PartFigures::slowest() const {
  return ranks.empty() ? nullptr : &*std::max_element(ranks.begin(), ranks.end(), faster);
}

StepBreakdown break_down(const TaskData& task, const TaskSamples& samples) {
  StepBreakdown result;
  const Steps steps = read_steps(task);
  const double total = sum(steps.step_ms);
  if (steps.step_ms.empty() || total <= 0) return result;
  result.steps = steps.step_ms.size();
  result.step_ms = stats::median(steps.step_ms);
  result.alternating = task.last<record::Training>().grad_accumulation.value_or(1) > 1;
  if (task.world() > 0 && steps.tokens > 0)
    result.tokens_per_gpu = steps.tokens / static_cast<double>(result.steps) / task.world();
  double covered = 0;
  for (std::size_t i = 0; i < std::size(kParts); ++i) {
    PartFigures& part = result.parts.emplace_back();
    part.ms = stats::median(steps.part_ms[i]);
    part.share = sum(steps.part_ms[i]) / total;
    part.ranks = rank_times(task, kParts[i]);
    covered += *part.share;
    if (i == kExposed) continue;
    for (const GpuUse& use : samples.gpus) part.activity.add(use.phases[i]);
  }
  result.rest_share = 1 - covered;
  std::vector<double> ticks, gpm, power;
  for (const GpuUse& use : samples.gpus) {
    if (use.tick_s) ticks.push_back(*use.tick_s);
    if (use.gpm_s) gpm.push_back(*use.gpm_s);
    if (use.power_span_s) power.push_back(*use.power_span_s);
  }
  result.tick_s = median_of(ticks);
  result.gpm_s = median_of(gpm);
  result.power_span_s = median_of(power);
  derive(result);
  return result;
}

StepBreakdown join_repeats(const std::vector<const StepBreakdown*>& all) {
  std::vector<const StepBreakdown*> repeats;
  std::copy_if(all.begin(), all.end(), std::back_inserter(repeats),
               [](const StepBreakdown* one) { return one->steps > 0; });
  StepBreakdown result;
  if (repeats.empty()) return result;
  for (const StepBreakdown* one : repeats) {
    result.steps += one->steps;
    result.alternating = result.alternating || one->alternating;
  }
  result.step_ms = median_of(collect(repeats, [](const StepBreakdown& one) { return one.step_ms; }));
  result.tick_s = median_of(collect(repeats, [](const StepBreakdown& one) { return one.tick_s; }));
  result.gpm_s = median_of(collect(repeats, [](const StepBreakdown& one) { return one.gpm_s; }));
  result.power_span_s =
      median_of(collect(repeats, [](const StepBreakdown& one) { return one.power_span_s; }));
  result.rest_share = mean_over(repeats, [](const StepBreakdown& one) { return one.rest_share; });
  result.tokens_per_gpu = mean_over(repeats, [](const StepBreakdown& one) { return one.tokens_per_gpu; });
  for (std::size_t i = 0; i < std::size(kParts); ++i) {
    PartFigures& part = result.parts.emplace_back();
    part.ms = median_of(collect(repeats, [&](const StepBreakdown& one) { return one.parts[i].ms; }));
    part.share = mean_over(repeats, [&](const StepBreakdown& one) { return one.parts[i].share; });
    part.ranks = join_ranks(repeats, i);
    for (const StepBreakdown* one : repeats) part.activity.add(one->parts[i].activity);
  }
  derive(result);
  return result;
}

}  // namespace sxb::analysis
