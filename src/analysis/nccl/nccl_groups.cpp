// Collective sweeps: groups with their rows, judged.
#include "analysis/nccl/nccl_groups.h"
#include "analysis/nccl/nccl_rows.h"
#include "analysis/nccl/sweep_verdicts.h"
#include "plan/collectives.h"

namespace sxb::analysis {

std::optional<double> NcclGroup::fitted_busbw_gBps() const {
  const auto factor = plan::bus_bandwidth_factor(collective, ranks);
  return fit && factor ? std::optional(fit->algbw_gBps * *factor) : std::nullopt;
}

std::string NcclGroup::status() const { return status_of_repeats(ok, tasks); }

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
    const auto& devices = measured->of<record::Device>();
    if (!devices.empty()) group.backend = devices.front().data.backend;
    group.overhead_us = measured->last<record::Overhead>().null_call_us;
    group.rows = join_rows(group, true);
    judge_sweep(dataset, *measured, hardware, group);
  }
  compare_groups(groups);
  return groups;
}

}  // namespace sxb::analysis
