// The files for machines, as one table: a new file of a report is one function here and one row in
// exports.cpp.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "analysis/analysis.h"

namespace sxb::report {

/// One row: a file that a report may write.
struct Export {
  using Content = std::string (*)(const analysis::Analysis&);  ///< of the one file
  /// Where there may be several: path and content of each.
  using Files = std::vector<std::pair<std::string, std::string>> (*)(const analysis::Analysis&);

  const char* path;   ///< from the run's folder; words in capitals stand for what differs
  const char* holds;  ///< for docs/records.md
  std::variant<Content, Files> write;
  bool (*applies)(const analysis::Analysis&) = nullptr;  ///< whether it is written; nullptr = always

  /// Path and content of what this row writes for this run.
  std::vector<std::pair<std::string, std::string>> files(const analysis::Analysis& analysis) const;
};

/// All of them, in the order of docs/records.md.
std::span<const Export> exports();

/// Every figure with its unit and the records it comes from.
std::string summary_json(const analysis::Analysis& analysis);
/// First the columns model_size,nodes,samples_per_sec,gpu_utilization, then the other figures of the figure
/// table, scaling and status: one row per model and node count.
std::string performance_summary_csv(const analysis::Analysis& analysis);
/// {"7b": {"2_nodes": {"efficiency": 0.97, ...}}}; efficiency 1 = linear.
std::string scaling_analysis_json(const analysis::Analysis& analysis);
/// Per task: facts, figures, ranks, and the steps as columns.
std::string sft_metrics_json(const analysis::Analysis& analysis);
/// One row per model, node count and part of the step: times, extremes over the ranks, what the GPUs did
/// in it and how many samples say so.
std::string phases_csv(const analysis::Analysis& analysis);
/// Thinned GPU samples of all fine-tuning tasks; column `stride` says how: every stride-th sample.
std::string gpu_metrics_csv(const analysis::Analysis& analysis);
/// Every figure of every GPU micro-benchmark, device by device.
std::string gpu_benchmarks_csv(const analysis::Analysis& analysis);
/// Every second of every device that burnt, with the means of its samples.
std::string burn_csv(const analysis::Analysis& analysis);
/// All rows of all sweeps: one line per task, size, group and placement, with the fields of the table.
std::string nccl_metrics_csv(const analysis::Analysis& analysis);
/// All sweeps in nccl-tests' text layout, one after the other.
std::string nccl_log(const analysis::Analysis& analysis);
/// One file per sweep that has rows, as nccl-tests writes with -J: "reports/nccl_all_reduce_2n.json"; further
/// repeats are "reports/nccl_all_reduce_2n_repeat2.json".
std::vector<std::pair<std::string, std::string>> nccl_tests_json(const analysis::Analysis& analysis);
/// Every probe of all searches, one rail a row.
std::string locate_csv(const analysis::Analysis& analysis);

}  // namespace sxb::report
