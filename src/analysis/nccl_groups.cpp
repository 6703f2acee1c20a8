// Collective sweeps: what the wires between the ranks allow.
#include <algorithm>

#include "analysis/analysis.h"
#include "analysis/json_read.h"
#include "analysis/nccl_rows.h"

namespace sxb::analysis {
namespace {

double nvlink_of(const TaskData& task, const Hardware& hardware) {
  for (const Entry& entry : task.of(record::kind::kDevice)) {
    if (text(entry.record.data, "device") != "cuda") return 0;
    if (const auto gpu = hardware.gpu(text(entry.record.data, "name"))) return gpu->nvlink_gBps;
  }
  return 0;
}

double line_rate_gbps(const Json& cluster) {
  double sum = 0;
  for (const Json& nic : member(member(cluster, "network"), "nics")) {
    sum += number(nic, "line_rate_gbps").value_or(0);
  }
  return sum;
}

void judge_physics(const Json& run, const TaskData& task, const Hardware& hardware, NcclGroup& group) {
  const Json& cluster = member(run, "cluster");
  const double line = line_rate_gbps(cluster);
  const bool infiniband = text(member(cluster, "network"), "fabric") == "infiniband";
  group.limit = busbw_limit(group.collective,
                            {group.ranks, group.hosts, line / 8, nvlink_of(task, hardware), infiniband});
  for (SweepRow& row : group.rows) {
    for (const Bandwidth* bandwidth : {&row.out_of_place, &row.in_place}) {
      const double busbw = bandwidth->busbw_gBps.value_or(0);
      row.implausible = row.implausible || (group.limit && busbw > group.limit->busbw_gBps);
    }
  }
  if (group.rows.empty() || group.hosts < 2 || group.collective != "all_reduce") return;
  const Bandwidth& largest = group.rows.back().out_of_place;
  if (!largest.algbw_gBps || !largest.busbw_gBps) return;
  const bool ring = text(member(run, "nccl_env"), "NCCL_ALGO") == "Ring";
  group.wire_gbps = 8 * all_reduce_wire_gBps(*largest.algbw_gBps, *largest.busbw_gBps, group.hosts, ring);
  if (line > 0) group.line_gbps = line;
}

}  // namespace

std::vector<NcclGroup> group_nccl(const Dataset& dataset, const Hardware& hardware) {
  std::vector<NcclGroup> groups = collect_groups(dataset);
  for (NcclGroup& group : groups) {
    const TaskData* measured = nullptr;
    for (const TaskData* task : group.tasks) {
      if (task->status() != TaskStatus::kOk) continue;
      ++group.ok;
      measured = task;
    }
    if (measured == nullptr) {
      group.failed_rows = join_rows(group, false);
      continue;
    }
    group.ranks = group.group_ranks.empty() ? measured->world() : static_cast<int>(group.group_ranks.size());
    group.hosts = count_hosts(*measured, group);
    const std::vector<Entry>& devices = measured->of(record::kind::kDevice);
    if (!devices.empty()) group.backend = text(devices.front().record.data, "backend");
    for (const Entry& entry : measured->of(record::kind::kOverhead))
      group.overhead_us = number(entry.record.data, "null_call_us");
    group.rows = join_rows(group, true);
    judge_physics(dataset.run.record.data, *measured, hardware, group);
  }
  compare_groups(groups);
  return groups;
}

}  // namespace sxb::analysis
