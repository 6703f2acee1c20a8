// From the journal and the samples to everything a report states. Pure: nothing here is measured again.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analysis/gpu/gpu_groups.h"
#include "analysis/guard/guard.h"
#include "analysis/guard/nic_rates.h"
#include "analysis/guard/verdict_mark.h"
#include "analysis/locate/locate.h"
#include "analysis/model/expected.h"
#include "analysis/model/latency_bandwidth_fit.h"
#include "analysis/model/limits.h"
#include "analysis/read/dataset.h"
#include "analysis/read/hardware.h"
#include "analysis/read/samples.h"
#include "analysis/sft/phases.h"
#include "analysis/sft/sft_figures.h"

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
  bool implausible = false;             ///< one of `checks` is
  std::vector<Check> checks;            ///< against the speed of light
  std::optional<double> global_batch;   ///< sequences per optimizer step
  std::optional<int> base_nodes;        ///< node count the scaling figures refer to
  std::optional<double> speedup, efficiency;
  std::string scaling;         ///< weak: same batch per rank as the base; strong: same global batch
  std::string status() const;  ///< ok, partial, failed, missing
};

struct Bandwidth {
  std::optional<double> time_us, algbw_gBps, busbw_gBps;
  std::optional<double> wrong;  ///< elements, in checks and after timed iterations; absent: not checked
  std::optional<double> p50_us, p95_us, p99_us, cv_pct;  ///< of single iterations, at the slowest rank
  std::optional<double> rank_spread_pct;                 ///< (max - min) / max of the ranks' means
  std::optional<int> slowest_rank;                       ///< of the world
  std::optional<double> repeat_spread;                   ///< (max - min) / median time; from two repeats on
};

/// One wrong element, values as text.
struct FirstWrong {
  int rank = -1;  ///< of the world
  std::int64_t offset = -1;
  std::string expected, found, placement, when;
  /// "rank 3, element 17 in place: expected 1, found 2".
  std::string to_text() const;
};
/// Of a "collective" record; nullopt if nothing was wrong.
std::optional<FirstWrong> first_wrong_of(const Json& collective);

struct SweepRow {
  std::int64_t size_bytes = 0, count = 0;
  std::string dtype, redop;
  Bandwidth out_of_place, in_place;  ///< medians over the repeats; wrong is their sum
  bool implausible = false;
  std::string path;                 ///< what the device ran; "" = not recorded
  std::string algorithm, protocol;  ///< as NCCL tells them; "" = it does not
  std::optional<int> channels;
  std::string registration;
  std::optional<FirstWrong> first_wrong;
  std::optional<double> expected_us;  ///< of the topology's model
  Mark mark = Mark::kNotJudged;       ///< of the out-of-place time
  std::string why;                    ///< of the mark; "" for PASS
  /// Measured busbw as a share of the expected one.
  std::optional<double> of_expected() const;
};

/// A "collective" record of the journal, and the task that wrote it.
struct GroupRecord {
  const TaskData* task = nullptr;
  const Json* row = nullptr;
};

/// The repeats of one collective on one node count: of one group of ranks, type, operator and root.
struct NcclGroup {
  std::string collective;
  int nodes = 0, ranks = 0;      ///< ranks: of this group
  std::string split;             ///< as planned; "" = all ranks together
  int group = 0, groups = 1;     ///< index and number of the groups that ran at the same time
  std::vector<int> group_ranks;  ///< of the world; empty if not split
  std::string dtype, redop;      ///< "" if no task has a row
  int root = -1;
  int hosts = 0;        ///< machines, 0 = unknown
  std::string backend;  ///< nccl or gloo
  std::vector<const TaskData*> tasks;
  std::vector<GroupRecord> records;  ///< in the order of the tasks
  int ok = 0;
  std::vector<SweepRow> rows;         ///< of the tasks that are ok
  std::optional<double> overhead_us;  ///< of a call that does nothing; part of every time
  std::optional<double>
      of_median_group;                ///< of a split: busbw at the largest size over that of the median group
  std::vector<SweepRow> failed_rows;  ///< no task is ok: what was measured until then; counts nowhere
  std::optional<Limit> limit;
  std::optional<double> wire_gbps,
      line_gbps;  ///< all_reduce between hosts: Gbit/s per host at the largest size
  Topology topology;
  Expected expected;
  std::optional<LatencyBandwidth> fit;  ///< of the out-of-place times
  Mark mark = Mark::kNotJudged;         ///< of the sweep
  std::string bound;                    ///< "NIC-bound: 48.3 of 50 GB/s per rail, 97 %" at the largest size
  std::vector<NicRate> nics;            ///< between hosts, by their counters
  std::optional<double> nic_formula_gBps;  ///< what each must have sent for the highest busbw
  std::vector<Check> checks;               ///< against the speed of light
  std::string status() const;
  /// "all_reduce on 2 nodes", "all_gather (rails, group 1) of half on 2 nodes".
  std::string label() const;
};

struct Finding {
  std::string severity, code, message, help, where;
  std::size_t line = 0;  ///< of records.jsonl; 0 = derived from many
};

struct Verdict {
  std::string item, required, achieved;
  Mark mark = Mark::kNotJudged;
  std::string note;
  bool must_tell = false;  ///< to find out was the task: UNSTABLE misses it too

  bool missed() const { return fails(mark) || (must_tell && mark == Mark::kUnstable); }
};

struct Analysis {
  const Dataset* dataset = nullptr;
  bool cuda = false, cpu = false;  ///< devices that the ranks reported
  std::vector<SftGroup> sft;
  std::vector<NcclGroup> nccl;
  std::vector<LocateSearch> searches;
  std::vector<GpuGroup> gpu;
  std::vector<BurnTask> burns;
  std::vector<Check> gpu_checks;  ///< micro-benchmarks and burn against the speed of light
  std::vector<Finding> findings;
  std::vector<Verdict> verdicts;
  bool goals_met() const;
  std::vector<Check> checks() const;  ///< of all figures
};

Analysis analyze(const Dataset& dataset, const Hardware& hardware);

// The steps of analyze(), each in a file of its own.
std::vector<NcclGroup> group_nccl(const Dataset& dataset, const Hardware& hardware);
std::vector<SftGroup> group_sft(const Dataset& dataset, const Hardware& hardware);
/// Limit, expected value, fit, wire rates and the marks of a sweep whose rows are joined. `task`: one of its
/// repeats.
void judge_sweep(const Dataset& dataset, const TaskData& task, const Hardware& hardware, NcclGroup& group);
/// The verdict table of everything but the verdicts themselves.
std::vector<Verdict> judge(const Analysis& analysis);
void judge_searches(const std::vector<LocateSearch>& searches, std::vector<Verdict>& verdicts);
std::vector<Finding> collect_findings(const Analysis& analysis);

}  // namespace sxb::analysis
