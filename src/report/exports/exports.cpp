#include "report/exports/exports.h"

namespace sxb::report {
namespace {

using analysis::Analysis;

/// A run with such figures or tasks.
template <auto kMember>
bool has(const analysis::Analysis& analysis) {
  return !(analysis.*kMember).empty();
}

constexpr const char* kSummary =
    "`run`, `goals_met`, `verdicts` (PASS, WARN, FAIL, UNSTABLE, IMPLAUSIBLE, NOT MEASURED, NOT JUDGED), "
    "`findings`, `speed_of_light` (figures beside their physical limits), `tasks` with figures and evidence, "
    "`sft` (one entry per model and node count: medians over repeats, scaling) and `nccl` (one per "
    "collective, "
    "node count, group of ranks, type, operator and root). `schema` is 1. With GPU micro-benchmarks or burns "
    "also `gpu` and `burn`: every figure, device by device. With a search also `locate`: one entry per "
    "search "
    "with its faults, the part, share of normal and evidence of each, and how slow a part would have had to "
    "be.";

}  // namespace

std::span<const Export> exports() {
  static const Export table[] = {
      {"summary.json", kSummary, summary_json},
      {"reports/performance_summary.csv",
       "model_size, nodes, samples_per_sec, gpu_utilization, then the other figures; an empty cell was not "
       "measured.",
       performance_summary_csv},
      {"reports/scaling_analysis.json",
       "model, then `N_nodes`, then efficiency (1 = linear), speedup, base_nodes, throughput, global_batch.",
       scaling_analysis_json},
      {"reports/sft_metrics.json",
       "per task its facts, figures, ranks, GPUs over the window, and the steps column by column.",
       sft_metrics_json},
      {"reports/phases.csv",
       "per model, node count and part of the step its time, the extremes over the ranks, and activity, "
       "power "
       "and energy with the number of samples behind them.",
       phases_csv},
      {"reports/gpu_metrics.csv",
       "GPU samples, every `stride`-th; `t_s` counts from the first sample of that GPU and task.",
       gpu_metrics_csv},
      {"reports/gpu_benchmarks.csv",
       "every figure of every GPU micro-benchmark, rank by rank. Written where a run has such tasks.",
       gpu_benchmarks_csv, has<&Analysis::gpu>},
      {"reports/burn.csv",
       "the seconds of a burn, GPU by GPU, with the means of the samples in each. Written where a run has "
       "burns.",
       burn_csv, has<&Analysis::burns>},
      {"reports/locate.csv", "every probe of a search, one rail a row. Written where a run has searches.",
       locate_csv, has<&Analysis::searches>},
      {"reports/nccl_metrics.csv",
       "all rows of all sweeps, a line per size, group of ranks and placement, with the fields of "
       "`collective` "
       "above.",
       nccl_metrics_csv},
      {"reports/nccl_allreduce.log",
       "the sweeps in nccl-tests' text layout, whatever the collective (docs/nccl.md).", nccl_log},
      {"reports/nccl_COLLECTIVE_Nn.json",
       "per sweep that has rows the JSON that nccl-tests writes with `-J` (docs/nccl.md).", nccl_tests_json},
  };
  return table;
}

std::vector<std::pair<std::string, std::string>> Export::files(const analysis::Analysis& analysis) const {
  if (applies != nullptr && !applies(analysis)) return {};
  if (const auto* content = std::get_if<Content>(&write)) return {{path, (*content)(analysis)}};
  return std::get<Files>(write)(analysis);
}

}  // namespace sxb::report
