// From the journal and the samples to everything a report states. Pure: nothing here is measured again.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analysis/dataset.h"
#include "analysis/figures.h"
#include "analysis/hardware.h"
#include "analysis/limits.h"
#include "analysis/phases.h"
#include "analysis/samples.h"

namespace sxb::analysis {

struct SftTask {
  const TaskData* task = nullptr;
  TaskSamples samples;
  Figures figures;
  StepBreakdown phases;
};

/// The repeats of one model on one node count.
struct SftGroup {
  std::string model;
  int nodes = 0;
  std::vector<SftTask> tasks;
  int ok = 0;                           ///< tasks with a result
  int hosts = 0;                        ///< machines, 0 = unknown
  Figures figures;                      ///< median over the repeats that are ok
  StepBreakdown phases;                 ///< joined over the repeats that are ok
  std::optional<double> repeat_spread;  ///< (max - min) / median of samples/s; from two repeats on
  std::optional<double> step_noise;     ///< largest 1.4826 MAD / median of the step times of one repeat
  bool unstable = false;                ///< one of the two exceeds stats::kUnstable
  bool implausible = false;
  std::optional<double> global_batch;  ///< sequences per optimizer step
  std::optional<int> base_nodes;       ///< node count the scaling figures refer to
  std::optional<double> speedup, efficiency;
  std::string scaling;         ///< weak: same batch per rank as the base; strong: same global batch
  std::string status() const;  ///< ok, partial, failed, missing
};

struct Bandwidth {
  std::optional<double> time_us, algbw_gBps, busbw_gBps, wrong;  ///< wrong absent: not checked
};
struct SweepRow {
  std::int64_t size_bytes = 0, count = 0;
  std::string dtype, redop;
  Bandwidth out_of_place, in_place;  ///< medians over the repeats; wrong is their sum
  bool implausible = false;
};

/// The repeats of one collective on one node count.
struct NcclGroup {
  std::string collective;
  int nodes = 0, ranks = 0;
  int hosts = 0;        ///< machines, 0 = unknown
  std::string backend;  ///< nccl or gloo
  std::vector<const TaskData*> tasks;
  int ok = 0;
  std::vector<SweepRow> rows;
  std::optional<Limit> limit;
  std::optional<double> wire_gbps,
      line_gbps;  ///< all_reduce between hosts: Gbit/s per host at the largest size
  std::string status() const;
};

struct Finding {
  std::string severity, code, message, help, where;
  std::size_t line = 0;  ///< of records.jsonl; 0 = derived from many
};

enum class Mark { kPass, kFail, kNotMeasured, kNotJudged };
const char* to_string(Mark mark);
struct Verdict {
  std::string item, required, achieved;
  Mark mark = Mark::kNotJudged;
  std::string note;
};

struct Analysis {
  const Dataset* dataset = nullptr;
  bool cuda = false, cpu = false;  ///< devices that the ranks reported
  std::vector<SftGroup> sft;
  std::vector<NcclGroup> nccl;
  std::vector<Finding> findings;
  std::vector<Verdict> verdicts;
  bool goals_met() const;
};

Analysis analyze(const Dataset& dataset, const Hardware& hardware);

// The steps of analyze(), each in a file of its own.
std::vector<NcclGroup> group_nccl(const Dataset& dataset, const Hardware& hardware);
std::vector<SftGroup> group_sft(const Dataset& dataset);
std::vector<Verdict> judge(const Dataset& dataset, const std::vector<SftGroup>& sft,
                           const std::vector<NcclGroup>& nccl);
std::vector<Finding> collect_findings(const Dataset& dataset, const std::vector<SftGroup>& sft,
                                      const std::vector<NcclGroup>& nccl);

}  // namespace sxb::analysis
