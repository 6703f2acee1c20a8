#include "analysis/verdict/verdicts.h"

#include <fmt/format.h>

#include <charconv>

#include "analysis/read/json_read.h"
#include "base/text.h"
#include "base/units.h"

namespace sxb::analysis {
namespace {

/// "at least" goals: PASS or FAIL where there is a value.
Verdict at_least(std::string item, double required, std::optional<double> achieved, const char* unit) {
  Verdict verdict;
  verdict.item = std::move(item);
  verdict.required = fmt::format(">= {:g} {}", required, unit);
  if (!achieved) {
    verdict.mark = Mark::kNotMeasured;
    return verdict;
  }
  verdict.achieved = fmt::format("{:.1f} {}", *achieved, unit);
  verdict.mark = *achieved >= required ? Mark::kPass : Mark::kFail;
  return verdict;
}

std::optional<double> percent(std::optional<double> ratio) {
  return ratio ? std::optional(*ratio * 100) : std::nullopt;
}

void not_measured(std::string item, std::string required, std::string note, std::vector<Verdict>& out) {
  out.push_back({std::move(item), std::move(required), "", Mark::kNotMeasured, std::move(note)});
}

void judge_utilization(double goal, const std::vector<SftGroup>& sft, std::vector<Verdict>& out) {
  if (sft.empty()) {
    not_measured("GPU utilization", fmt::format(">= {:g} %", goal), "no fine-tuning task in this run", out);
  }
  for (const SftGroup& group : sft) {
    Verdict verdict = at_least(fmt::format("GPU utilization, {} on {}", group.model, on_nodes(group.nodes)),
                               goal, group.figures.get("gpu_utilization"), "%");
    if (verdict.mark == Mark::kNotMeasured) {
      verdict.note =
          group.ok == 0 ? "the task has no result" : "no GPU samples (CPU run, or NVML is missing)";
    }
    out.push_back(std::move(verdict));
  }
}

void judge_scaling(int nodes, double goal, const std::vector<SftGroup>& sft, std::vector<Verdict>& out) {
  bool any = false;
  for (const SftGroup& group : sft) {
    if (group.nodes != nodes) continue;
    any = true;
    const std::string item = fmt::format("Scaling efficiency, {} on {}", group.model, on_nodes(nodes));
    if (group.base_nodes == group.nodes) {
      not_measured(item, fmt::format(">= {:g} %", goal),
                   "this is the smallest node count measured: no base to compare with", out);
      continue;
    }
    Verdict verdict = at_least(item, goal, percent(group.efficiency), "%");
    if (verdict.mark == Mark::kNotMeasured) {
      verdict.note = "the task has no result";
    } else {
      verdict.note = fmt::format("base: {}{}", on_nodes(*group.base_nodes),
                                 group.hosts == 1 ? "; the nodes share one machine" : "");
    }
    out.push_back(std::move(verdict));
  }
  if (!any) {
    not_measured(fmt::format("Scaling efficiency on {}", on_nodes(nodes)), fmt::format(">= {:g} %", goal),
                 "no fine-tuning task on that many nodes in this run", out);
  }
}

void judge_line(double goal, const NcclGroup& group, std::vector<Verdict>& out) {
  const std::string item = "Network bandwidth of line rate, " + group.label();
  std::string unjudged;
  if (group.hosts == 1) unjudged = "all ranks are on one machine: no network in between";
  if (group.hosts > 1 && !group.line_gbps)
    unjudged = "the cluster config names no NIC line rate (network.nics)";
  if (!unjudged.empty()) {
    out.push_back({item, fmt::format(">= {:g} %", goal), "", Mark::kNotJudged, unjudged});
    return;
  }
  std::optional<double> share;
  if (group.wire_gbps && group.line_gbps) share = *group.wire_gbps / *group.line_gbps * 100;
  Verdict verdict = at_least(item, goal, share, "%");
  if (share) {
    verdict.note =
        fmt::format("{:.1f} of {:g} Gbit/s per node, largest size", *group.wire_gbps, *group.line_gbps);
  } else {
    verdict.note = "the task has no result";
  }
  out.push_back(std::move(verdict));
}

void judge_busbw(double goal, const NcclGroup& group, std::vector<Verdict>& out) {
  std::optional<double> busbw;
  if (!group.rows.empty()) busbw = group.rows.back().out_of_place.busbw_gBps;
  Verdict verdict = at_least("Bus bandwidth, " + group.label(), goal, busbw, "GB/s");
  verdict.note = busbw ? "largest size, out of place" : "the task has no result";
  out.push_back(std::move(verdict));
}

void judge_network(const Json& goals, const std::vector<NcclGroup>& nccl, std::vector<Verdict>& out) {
  const auto line = number(goals, "bandwidth_pct_of_line");
  const auto busbw = number(goals, "busbw_gBps");
  bool any = false;
  for (const NcclGroup& group : nccl) {
    // The goals are those of all nodes together; a group of a split has its own row in the tables.
    if (group.collective != "all_reduce" || group.groups > 1) continue;
    any = true;
    if (line) judge_line(*line, group, out);
    if (busbw) judge_busbw(*busbw, group, out);
  }
  if (any) return;
  constexpr const char* kNote = "no all_reduce sweep over all ranks in this run";
  if (line) not_measured("Network bandwidth of line rate", fmt::format(">= {:g} %", *line), kNote, out);
  if (busbw) not_measured("Bus bandwidth", fmt::format(">= {:g} GB/s", *busbw), kNote, out);
}

/// The baseline that every node must have on its own.
void judge_intra_node(double goal, const std::vector<NcclGroup>& nccl, std::vector<Verdict>& out) {
  bool any = false;
  for (const NcclGroup& group : nccl) {
    const bool alone = group.split == "nodes" || (group.nodes == 1 && group.groups == 1);
    if (group.collective != "all_reduce" || !alone) continue;
    any = true;
    std::optional<double> busbw;
    if (!group.rows.empty()) busbw = group.rows.back().out_of_place.busbw_gBps;
    Verdict verdict = at_least("Bus bandwidth inside the node, " + group.label(), goal, busbw, "GB/s");
    verdict.note = busbw ? "largest size, out of place" : "the task has no result";
    out.push_back(std::move(verdict));
  }
  if (!any) {
    not_measured("Bus bandwidth inside the node", fmt::format(">= {:g} GB/s", goal),
                 "no all_reduce sweep on one node in this run: sxbench nccl --nodes 1, or --split nodes for "
                 "all of them",
                 out);
  }
}

void judge_data(const NcclGroup& group, std::vector<Verdict>& out) {
  double wrong = 0;
  bool checked = false;
  for (const SweepRow& row : group.rows) {
    checked = checked || row.out_of_place.wrong || row.in_place.wrong;
    wrong += row.out_of_place.wrong.value_or(0) + row.in_place.wrong.value_or(0);
  }
  Verdict data{"Data check, " + group.label(), "0 wrong elements", "", Mark::kNotMeasured,
               "checks were switched off"};
  if (checked)
    data = {data.item, data.required, fmt::format("{:g} wrong elements", wrong),
            wrong == 0 ? Mark::kPass : Mark::kFail, ""};
  out.push_back(std::move(data));
}

void judge_expected(const NcclGroup& group, std::vector<Verdict>& out) {
  if (group.backend != "nccl" || group.ranks < 2 || group.rows.empty()) return;
  Verdict verdict{"Expected bandwidth, " + group.label(), "–", "", Mark::kNotJudged, group.expected.unknown};
  if (group.expected.value) {
    const Expectation& expected = *group.expected.value;
    const SweepRow& largest = group.rows.back();
    verdict.required =
        fmt::format(">= {:.0f} % of {:.1f} GB/s ({})", expected.pass * 100,
                    expected.busbw_at(static_cast<double>(largest.size_bytes)), expected.algorithm);
    if (largest.out_of_place.busbw_gBps) {
      verdict.achieved = fmt::format("{:.1f} GB/s", *largest.out_of_place.busbw_gBps);
      if (const auto share = largest.of_expected())
        verdict.achieved += fmt::format(", {:.0f} %", *share * 100);
    }
    verdict.mark = group.mark;
    std::vector<std::string> notes;
    if (!group.bound.empty()) notes.push_back(group.bound);
    for (const SweepRow& row : group.rows) {
      if (row.mark != Mark::kPass && row.mark != Mark::kNotJudged && notes.size() < 4)
        notes.push_back(
            fmt::format("{} at {}: {}", to_string(row.mark), format_bytes(row.size_bytes), row.why));
    }
    verdict.note = join(notes, "; ");
  }
  out.push_back(std::move(verdict));
}

}  // namespace

std::vector<Verdict> judge_goals(const Json& cluster, const std::vector<SftGroup>& sft,
                                 const std::vector<NcclGroup>& nccl) {
  const Json& goals = member(cluster, "goals");
  std::vector<Verdict> out;
  if (const auto goal = number(goals, "gpu_utilization_pct")) judge_utilization(*goal, sft, out);
  const Json& scaling = member(goals, "scaling_efficiency_pct");
  for (const auto& item : scaling.items()) {
    int nodes = 0;
    std::from_chars(item.key().data(), item.key().data() + item.key().size(), nodes);
    if (nodes > 0 && item.value().is_number()) judge_scaling(nodes, item.value().get<double>(), sft, out);
  }
  judge_network(goals, nccl, out);
  if (const auto goal = number(goals, "intra_node_busbw_gBps")) judge_intra_node(*goal, nccl, out);
  return out;
}

std::vector<Verdict> judge_sweeps(const std::vector<NcclGroup>& nccl) {
  std::vector<Verdict> out;
  for (const NcclGroup& group : nccl) {
    if (group.ok == 0) continue;
    judge_data(group, out);
    judge_expected(group, out);
  }
  return out;
}

std::vector<Verdict> judge_plausibility(const std::vector<Check>& checks) {
  std::vector<Verdict> out;
  for (const Check& check : checks) {
    if (!check.implausible()) continue;
    out.push_back({fmt::format("Speed of light, {}, {}", check.figure, check.subject),
                   fmt::format("<= {:.5g} {}", check.limit, check.unit),
                   fmt::format("{:.5g} {}", check.value, check.unit), Mark::kImplausible,
                   fmt::format("above the limit of {}: {}", check.resource, check.arithmetic())});
  }
  return out;
}

void void_implausible(const std::vector<SftGroup>& sft, const std::vector<NcclGroup>& nccl,
                      std::vector<Verdict>& verdicts) {
  const auto fail = [&](const std::string& ending) {
    for (Verdict& verdict : verdicts) {
      if (verdict.mark != Mark::kPass || !verdict.item.ends_with(ending) ||
          verdict.item.starts_with("Data check") || verdict.item.starts_with("Speed of light"))
        continue;
      verdict.mark = Mark::kImplausible;
      verdict.note = "see the speed-of-light check";
    }
  };
  for (const SftGroup& group : sft) {
    if (group.implausible) fail(fmt::format(", {} on {}", group.model, on_nodes(group.nodes)));
  }
  for (const NcclGroup& group : nccl) {
    for (const Check& check : group.checks) {
      if (check.implausible()) fail(", " + group.label());
    }
  }
}

}  // namespace sxb::analysis
