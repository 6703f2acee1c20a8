// The repeats of one collective, with their rows and what these are held against.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analysis/guard/guard.h"
#include "analysis/guard/nic_rates.h"
#include "analysis/guard/verdict_mark.h"
#include "analysis/model/expected.h"
#include "analysis/model/latency_bandwidth_fit.h"
#include "analysis/model/limits.h"
#include "analysis/nccl/sweep_row.h"
#include "analysis/read/dataset.h"
#include "analysis/read/hardware.h"
#include "analysis/read/topology.h"

namespace sxb::analysis {

/// A "collective" record of the journal, and the task that wrote it.
struct GroupRecord {
  const TaskData* task = nullptr;
  const record::Collective* row = nullptr;
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
  /// Bus bandwidth of large sizes, by the fit.
  std::optional<double> fitted_busbw_gBps() const;
  std::string status() const;  ///< as status_of_repeats()
  /// "all_reduce on 2 nodes", "all_gather (rails, group 1) of half on 2 nodes".
  std::string label() const;
};

/// The sweeps of a run, joined and judged, in the order of the plan.
std::vector<NcclGroup> group_nccl(const Dataset& dataset, const Hardware& hardware);

}  // namespace sxb::analysis
