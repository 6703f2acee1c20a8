// Collective sweeps: repeats joined per size, and what the wires between the ranks allow.
#include <algorithm>

#include "analysis/analysis.h"
#include "analysis/json_read.h"

namespace sxb::analysis {
namespace {

struct Samples {
  std::vector<double> time_us, algbw, busbw;
  std::optional<double> wrong;
};

void add(const Json& placement, Samples& out) {
  if (const auto value = number(placement, "time_us")) out.time_us.push_back(*value);
  if (const auto value = number(placement, "algbw_gBps")) out.algbw.push_back(*value);
  if (const auto value = number(placement, "busbw_gBps")) out.busbw.push_back(*value);
  if (const auto value = number(placement, "wrong")) out.wrong = out.wrong.value_or(0) + *value;
}

std::optional<double> median_of(const std::vector<double>& values) {
  return values.empty() ? std::nullopt : std::optional(stats::median(values));
}

Bandwidth sum_up(const Samples& samples) {
  return {median_of(samples.time_us), median_of(samples.algbw), median_of(samples.busbw), samples.wrong};
}

/// Rows of all repeats that are ok, in the order of the first.
std::vector<SweepRow> join_rows(const NcclGroup& group) {
  std::vector<SweepRow> rows;
  std::vector<std::pair<Samples, Samples>> samples;
  for (const TaskData* task : group.tasks) {
    if (task->status() != TaskStatus::kOk) continue;
    for (const Entry& entry : task->of(record::kind::kCollective)) {
      const Json& data = entry.record.data;
      SweepRow row{integer(data, "size_bytes").value_or(0),
                   integer(data, "count").value_or(0),
                   text(data, "dtype"),
                   text(data, "redop"),
                   {},
                   {},
                   false};
      auto it = std::find_if(rows.begin(), rows.end(), [&](const SweepRow& other) {
        return other.size_bytes == row.size_bytes && other.count == row.count && other.dtype == row.dtype &&
               other.redop == row.redop;
      });
      if (it == rows.end()) {
        it = rows.insert(rows.end(), row);
        samples.emplace_back();
      }
      auto& [out_of_place, in_place] = samples[static_cast<std::size_t>(it - rows.begin())];
      add(member(data, "out_of_place"), out_of_place);
      add(member(data, "in_place"), in_place);
    }
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].out_of_place = sum_up(samples[i].first);
    rows[i].in_place = sum_up(samples[i].second);
  }
  return rows;
}

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

NcclGroup& find_or_add(std::vector<NcclGroup>& groups, const std::string& collective, int nodes) {
  for (NcclGroup& group : groups) {
    if (group.collective == collective && group.nodes == nodes) return group;
  }
  NcclGroup& group = groups.emplace_back();
  group.collective = collective;
  group.nodes = nodes;
  return group;
}

std::string collective_of(const TaskData& task) {
  std::string planned = text(member(task.plan, "sweep"), "collective");
  if (!planned.empty()) return planned;
  const std::vector<Entry>& rows = task.of(record::kind::kCollective);
  return rows.empty() ? "unknown" : text(rows.front().record.data, "collective");
}

}  // namespace

std::vector<NcclGroup> group_nccl(const Dataset& dataset, const Hardware& hardware) {
  std::vector<NcclGroup> groups;
  for (const TaskData& task : dataset.tasks) {
    if (task.phase == "nccl") find_or_add(groups, collective_of(task), task.nodes).tasks.push_back(&task);
  }
  for (NcclGroup& group : groups) {
    const TaskData* measured = nullptr;
    for (const TaskData* task : group.tasks) {
      if (task->status() != TaskStatus::kOk) continue;
      ++group.ok;
      measured = task;
    }
    if (measured == nullptr) continue;
    group.ranks = measured->world();
    group.hosts = count_hosts(*measured);
    const std::vector<Entry>& devices = measured->of(record::kind::kDevice);
    if (!devices.empty()) group.backend = text(devices.front().record.data, "backend");
    group.rows = join_rows(group);
    judge_physics(dataset.run.record.data, *measured, hardware, group);
  }
  return groups;
}

}  // namespace sxb::analysis
