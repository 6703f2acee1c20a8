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

void add(const Json& object, const char* key, std::vector<double>& out) {
  if (const auto value = number(object, key)) out.push_back(*value);
}

void add(const Json& placement, Samples& out) {
  add(placement, "time_us", out.time_us);
  add(placement, "algbw_gBps", out.algbw);
  add(placement, "busbw_gBps", out.busbw);
  const Json& iterations = member(placement, "per_iteration");
  add(iterations, "p50_us", out.p50);
  add(iterations, "p95_us", out.p95);
  add(iterations, "p99_us", out.p99);
  add(iterations, "cv_pct", out.cv);
  if (const auto spread = number(placement, "rank_spread_pct")) {
    // The rank that is named is that of the repeat in which the ranks differ most.
    const bool most = out.spread.empty() || *spread > *std::max_element(out.spread.begin(), out.spread.end());
    if (const auto rank = integer(placement, "slowest_rank"); rank && most)
      out.slowest = static_cast<int>(*rank);
    out.spread.push_back(*spread);
  }
  for (const char* key : {"wrong", "wrong_timed"}) {
    if (const auto value = number(placement, key)) out.wrong = out.wrong.value_or(0) + *value;
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

std::vector<int> ranks_of(const Json& data) {
  std::vector<int> ranks;
  for (const Json& rank : member(data, "group_ranks")) {
    if (rank.is_number_integer()) ranks.push_back(rank.get<int>());
  }
  return ranks;
}

NcclGroup key_of(const TaskData& task, const Json& data) {
  const Json& sweep = member(task.plan, "sweep");
  NcclGroup key;
  key.collective = text(sweep, "collective");
  if (key.collective.empty()) key.collective = text(data, "collective");
  if (key.collective.empty()) key.collective = "unknown";
  key.nodes = task.nodes;
  key.split = text(sweep, "split");
  key.group = static_cast<int>(integer(data, "group").value_or(0));
  key.groups = static_cast<int>(integer(data, "groups").value_or(1));
  key.dtype = text(data, "dtype");
  key.redop = text(data, "redop");
  key.root = static_cast<int>(integer(data, "root").value_or(-1));
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

void set_path(const Json& data, SweepRow& row) {
  row.path = text(data, "path");
  row.algorithm = text(data, "algorithm");
  row.protocol = text(data, "protocol");
  if (const auto channels = integer(data, "channels")) row.channels = static_cast<int>(*channels);
  row.registration = text(data, "registration");
}

}  // namespace

std::optional<FirstWrong> first_wrong_of(const Json& data) {
  const Json& wrong = member(data, "first_wrong");
  if (!wrong.is_object()) return std::nullopt;
  return FirstWrong{static_cast<int>(integer(wrong, "rank").value_or(-1)),
                    integer(wrong, "offset").value_or(-1),
                    text(wrong, "expected"),
                    text(wrong, "found"),
                    text(wrong, "placement"),
                    text(wrong, "when")};
}

std::string FirstWrong::to_text() const {
  const std::string where = placement == "in_place" ? "in place" : "out of place";
  return fmt::format("rank {}, element {} {}: expected {}, found {}{}", rank, offset, where, expected, found,
                     when == "timed" ? " (after the timed iterations)" : "");
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
    const std::vector<Entry>& rows = task.of(record::kind::kCollective);
    if (rows.empty()) without_rows.push_back(&task);
    for (const Entry& entry : rows) {
      const Json& data = entry.record.data;
      NcclGroup key = key_of(task, data);
      const auto [it, added] = index.emplace(identity(key), groups.size());
      if (added) {
        key.group_ranks = ranks_of(data);
        groups.push_back(std::move(key));
      }
      NcclGroup& group = groups[it->second];
      add_task(task, group);
      group.records.push_back({&task, &data});
    }
  }
  for (const TaskData* task : without_rows) {
    const NcclGroup key = key_of(*task, Json());
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
    const Json& data = *record;
    SweepRow row;
    row.size_bytes = integer(data, "size_bytes").value_or(0);
    row.count = integer(data, "count").value_or(0);
    auto it = std::find_if(rows.begin(), rows.end(), [&](const SweepRow& other) {
      return other.size_bytes == row.size_bytes && other.count == row.count;
    });
    if (it == rows.end()) {
      row.dtype = text(data, "dtype");
      row.redop = text(data, "redop");
      set_path(data, row);
      it = rows.insert(rows.end(), row);
      samples.emplace_back();
    }
    if (!it->first_wrong) it->first_wrong = first_wrong_of(data);
    auto& [out_of_place, in_place] = samples[static_cast<std::size_t>(it - rows.begin())];
    add(member(data, "out_of_place"), out_of_place);
    add(member(data, "in_place"), in_place);
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
  for (const Entry& entry : task.of(record::kind::kDevice)) {
    const auto& ranks = group.group_ranks;
    if (std::find(ranks.begin(), ranks.end(), entry.record.rank) != ranks.end())
      nodes.insert(entry.record.node);
  }
  std::set<std::string> hosts;
  for (const Entry& entry : task.of(record::kind::kNode)) {
    const std::string name = text(entry.record.data, "hostname");
    if (!name.empty() && nodes.contains(entry.record.node)) hosts.insert(name);
  }
  return static_cast<int>(hosts.size());
}

}  // namespace sxb::analysis
