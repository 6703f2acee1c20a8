#include "analysis/nccl/nccl_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "analysis/read/json_read.h"
#include "stats/stats.h"

namespace sxb::analysis {
namespace {

struct Samples {
  std::vector<double> time_us, algbw, busbw, p50, p95, p99, cv, spread;
  std::optional<double> wrong;
  std::optional<int> slowest;
};

void add(const std::optional<double>& value, std::vector<double>& out) {
  if (value) out.push_back(*value);
}

void add(const record::Placement& placement, Samples& out) {
  add(placement.time_us, out.time_us);
  add(placement.algbw_gBps, out.algbw);
  add(placement.busbw_gBps, out.busbw);
  if (const auto& iterations = placement.per_iteration) {
    add(iterations->p50_us, out.p50);
    add(iterations->p95_us, out.p95);
    add(iterations->p99_us, out.p99);
    add(iterations->cv_pct, out.cv);
  }
  if (const auto& spread = placement.rank_spread_pct) {
    // The rank that is named is that of the repeat in which the ranks differ most.
    const bool most = out.spread.empty() || *spread > *std::max_element(out.spread.begin(), out.spread.end());
    if (placement.slowest_rank && most) out.slowest = placement.slowest_rank;
    out.spread.push_back(*spread);
  }
  for (const auto& count : {placement.wrong, placement.wrong_timed}) {
    if (count) out.wrong = out.wrong.value_or(0) + static_cast<double>(*count);
  }
}

std::optional<double> range_of(const std::vector<double>& values) {
  if (values.size() < 2 || stats::median(values) <= 0) return std::nullopt;
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return (*high - *low) / stats::median(values);
}

std::optional<double> median_of(const std::vector<double>& values) {
  return values.empty() ? std::nullopt : std::optional(stats::median(values));
}

Bandwidth medians_of(const Samples& s) {
  Bandwidth out;
  out.time_us = median_of(s.time_us);
  out.algbw_gBps = median_of(s.algbw);
  out.busbw_gBps = median_of(s.busbw);
  out.wrong = s.wrong;
  out.p50_us = median_of(s.p50);
  out.p95_us = median_of(s.p95);
  out.p99_us = median_of(s.p99);
  out.cv_pct = median_of(s.cv);
  out.rank_spread_pct = median_of(s.spread);
  out.slowest_rank = s.slowest;
  out.repeat_spread = range_of(s.time_us);
  return out;
}

NcclGroup key_of(const TaskData& task, const record::Collective& row) {
  const Json& sweep = member(task.plan, "sweep");
  NcclGroup key;
  key.collective = text(sweep, "collective");
  if (key.collective.empty()) key.collective = row.collective;
  if (key.collective.empty()) key.collective = "unknown";
  key.nodes = task.nodes;
  key.split = text(sweep, "split");
  key.group = row.group.value_or(0);
  key.groups = row.groups.value_or(1);
  key.dtype = row.dtype;
  key.redop = row.redop;
  key.root = row.root.value_or(-1);
  return key;
}

bool same_sweep(const NcclGroup& a, const NcclGroup& b) {
  return a.collective == b.collective && a.nodes == b.nodes && a.split == b.split;
}

/// What makes two records rows of one group.
using GroupKey = std::tuple<std::string, int, std::string, int, std::string, std::string, int>;
GroupKey identity(const NcclGroup& g) {
  return {g.collective, g.nodes, g.split, g.group, g.dtype, g.redop, g.root};
}

void add_task(const TaskData& task, NcclGroup& group) {
  if (group.tasks.empty() || group.tasks.back() != &task) group.tasks.push_back(&task);
}

}  // namespace

std::string to_text(const record::FirstWrong& wrong) {
  return fmt::format("rank {}, element {} {}: expected {}, found {}{}", wrong.rank.value_or(-1),
                     wrong.offset.value_or(-1), wrong.placement == "in_place" ? "in place" : "out of place",
                     wrong.expected, wrong.found,
                     wrong.when == "timed" ? " (after the timed iterations)" : "");
}

std::string NcclGroup::label() const {
  std::string text = collective;
  if (groups > 1) text += fmt::format(" ({}, group {})", split.empty() ? "split" : split, group);
  if (!dtype.empty() && dtype != "float") text += " of " + dtype;
  if (!redop.empty() && redop != "sum" && redop != "none") text += " " + redop;
  if (root > 0) text += fmt::format(" root {}", root);
  return text + " on " + on_nodes(nodes);
}

std::vector<NcclGroup> collect_groups(const Dataset& dataset) {
  std::vector<NcclGroup> groups;
  std::map<GroupKey, std::size_t> index;
  std::vector<const TaskData*> without_rows;
  for (const TaskData& task : dataset.tasks) {
    if (task.phase != "nccl") continue;
    const auto& rows = task.of<record::Collective>();
    if (rows.empty()) without_rows.push_back(&task);
    for (const auto& entry : rows) {
      NcclGroup key = key_of(task, entry.data);
      const auto [it, added] = index.emplace(identity(key), groups.size());
      if (added) {
        key.group_ranks = entry.data.group_ranks;
        groups.push_back(std::move(key));
      }
      NcclGroup& group = groups[it->second];
      add_task(task, group);
      group.records.push_back({&task, &entry.data});
    }
  }
  for (const TaskData* task : without_rows) {
    const NcclGroup key = key_of(*task, {});
    bool known = false;
    for (NcclGroup& group : groups) {
      if (!same_sweep(group, key)) continue;
      add_task(*task, group);
      known = true;
    }
    if (known) continue;
    groups.push_back(key);
    add_task(*task, groups.back());
  }
  // Tasks lie in one array in plan order, so their addresses are that order.
  for (NcclGroup& group : groups) std::sort(group.tasks.begin(), group.tasks.end());
  std::stable_sort(groups.begin(), groups.end(),
                   [](const NcclGroup& a, const NcclGroup& b) { return a.tasks.front() < b.tasks.front(); });
  return groups;
}

std::vector<SweepRow> join_rows(const NcclGroup& group, bool ok) {
  std::vector<SweepRow> rows;
  std::vector<std::pair<Samples, Samples>> samples;
  for (const auto& [task, record] : group.records) {
    if ((task->status() == TaskStatus::kOk) != ok) continue;
    SweepRow row;
    row.size_bytes = record->size_bytes.value_or(0);
    row.count = record->count.value_or(0);
    auto it = std::find_if(rows.begin(), rows.end(), [&](const SweepRow& other) {
      return other.size_bytes == row.size_bytes && other.count == row.count;
    });
    if (it == rows.end()) {
      row.dtype = record->dtype;
      row.redop = record->redop;
      row.path = record->path;
      row.algorithm = record->algorithm;
      row.protocol = record->protocol;
      row.channels = record->channels;
      row.registration = record->registration;
      it = rows.insert(rows.end(), row);
      samples.emplace_back();
    }
    if (!it->first_wrong) it->first_wrong = record->first_wrong;
    auto& [out_of_place, in_place] = samples[static_cast<std::size_t>(it - rows.begin())];
    if (record->out_of_place) add(*record->out_of_place, out_of_place);
    if (record->in_place) add(*record->in_place, in_place);
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].out_of_place = medians_of(samples[i].first);
    rows[i].in_place = medians_of(samples[i].second);
  }
  return rows;
}

bool of_one_split(const NcclGroup& a, const NcclGroup& b) {
  return a.groups > 1 && !a.rows.empty() && !b.rows.empty() && same_sweep(a, b) && a.dtype == b.dtype &&
         a.redop == b.redop && a.root == b.root;
}

void compare_groups(std::vector<NcclGroup>& groups) {
  for (NcclGroup& group : groups) {
    std::vector<double> busbw;
    for (const NcclGroup& other : groups) {
      if (!of_one_split(group, other)) continue;
      if (const auto value = other.rows.back().out_of_place.busbw_gBps) busbw.push_back(*value);
    }
    if (busbw.empty()) continue;
    const double middle = stats::median(busbw);
    const auto own = group.rows.back().out_of_place.busbw_gBps;
    if (own && middle > 0) group.of_median_group = *own / middle;
  }
}

int count_hosts(const TaskData& task, const NcclGroup& group) {
  if (group.group_ranks.empty()) return count_hosts(task);
  std::set<std::string> nodes;
  for (const auto& entry : task.of<record::Device>()) {
    const auto& ranks = group.group_ranks;
    if (std::find(ranks.begin(), ranks.end(), entry.rank) != ranks.end()) nodes.insert(entry.node);
  }
  std::set<std::string> hosts;
  for (const auto& entry : task.of<record::Node>()) {
    if (!entry.data.hostname.empty() && nodes.contains(entry.node)) hosts.insert(entry.data.hostname);
  }
  return static_cast<int>(hosts.size());
}

}  // namespace sxb::analysis
