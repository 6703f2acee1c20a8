// The files for machines: each function returns the whole content of one file in reports/.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "analysis/analysis.h"

namespace sxb::report {

/// Columns model_size,nodes,samples_per_sec,gpu_utilization first, then the other figures of the field
/// table, scaling and status: one row per model and node count.
std::string performance_summary_csv(const analysis::Analysis& analysis);

/// {"7b": {"2_nodes": {"efficiency": 0.97, ...}}}; efficiency 1 = linear.
std::string scaling_analysis_json(const analysis::Analysis& analysis);

/// Per task: facts, figures, ranks, and the steps as columns.
std::string sft_metrics_json(const analysis::Analysis& analysis);

/// One row per model, node count and part of the step: times, extremes over the ranks, what the GPUs did
/// in it and how many samples say so.
std::string phases_csv(const analysis::Analysis& analysis);
/// The same for one task or group; null if the journal has no phase times.
Json phases_json(const analysis::StepBreakdown& breakdown);

/// Thinned GPU samples of all fine-tuning tasks; column `stride` says how: every stride-th sample.
std::string gpu_metrics_csv(const analysis::Analysis& analysis);

/// All rows of all sweeps: one line per task, size, group and placement, with the fields of the table.
std::string nccl_metrics_csv(const analysis::Analysis& analysis);

/// Every figure of every GPU micro-benchmark, device by device.
std::string gpu_benchmarks_csv(const analysis::Analysis& analysis);
/// Every second of every device that burnt, with the means of its samples.
std::string burn_csv(const analysis::Analysis& analysis);
/// "gpu" and "burn" of summary.json.
Json gpu_json(const analysis::Analysis& analysis);
Json burn_json(const analysis::Analysis& analysis);

/// All sweeps in nccl-tests' text layout, one after the other.
std::string nccl_log(const analysis::Analysis& analysis);

/// File name and content per sweep that has rows: "nccl_all_reduce_2n.json", as nccl-tests writes with
/// -J; further repeats are "nccl_all_reduce_2n_repeat2.json".
std::vector<std::pair<std::string, std::string>> nccl_tests_json(const analysis::Analysis& analysis);

/// "0.1.0+abc123": the sxbench that measured, not the one that reports.
std::string measured_by(const analysis::Dataset& dataset);

/// Every probe of all searches, one rail a row.
std::string locate_csv(const analysis::Analysis& analysis);
/// The searches as they stand in summary.json.
Json locate_json(const analysis::Analysis& analysis);
/// What was expected of a sweep, its fit and its NICs.
Json expected_json(const analysis::NcclGroup& group);
/// Figures against the speed of light.
Json checks_json(const std::vector<analysis::Check>& checks);

/// RUN/summary.json: every figure with its unit and the records it comes from.
std::string summary_json(const analysis::Analysis& analysis);

}  // namespace sxb::report
