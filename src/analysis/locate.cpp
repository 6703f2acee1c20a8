#include "analysis/locate.h"

#include <fmt/format.h>

#include <algorithm>

#include "analysis/analysis.h"
#include "analysis/json_read.h"
#include "analysis/locate_judge.h"
#include "stats/stats.h"
#include "sxbench/base/text.h"

namespace sxb::analysis {
namespace {

namespace kind = record::kind;
using plan::LocateStage;
using plan::ProbeResult;

int place_of(const LocateSearch& search, const std::string& name) {
  const auto it = std::find(search.nodes.begin(), search.nodes.end(), name);
  return it == search.nodes.end() ? -1 : static_cast<int>(it - search.nodes.begin());
}

/// The nodes that a record of any of the three kinds is about; empty if one is unknown.
std::vector<int> nodes_of(const LocateSearch& search, const record::Record& record) {
  std::vector<int> places;
  if (record.kind == kind::kLocateNode) places = {place_of(search, text(record.data, "node"))};
  if (record.kind == kind::kLocateLink) {
    for (const char* end : {"a", "b"})
      places.push_back(place_of(search, text(member(record.data, end), "node")));
  }
  if (record.kind == kind::kLocateGroup) {
    for (const Json& name : member(record.data, "nodes")) {
      places.push_back(name.is_string() ? place_of(search, name.get<std::string>()) : -1);
    }
  }
  if (std::find(places.begin(), places.end(), -1) != places.end()) places.clear();
  return places;
}

/// Records of one probe, one per rail, stand together in one result.
void take(LocateSearch& search, const record::Record& record) {
  const auto stage = plan::parse_locate_stage(text(record.data, "stage"));
  const auto round = integer(record.data, "round");
  const std::vector<int> nodes = nodes_of(search, record);
  if (!stage.ok() || !round || nodes.empty()) return;
  auto it = std::find_if(search.results.begin(), search.results.end(), [&](const ProbeResult& result) {
    return result.round == *round && result.nodes == nodes;
  });
  if (it == search.results.end()) {
    it = search.results.insert(search.results.end(), {*stage, static_cast<int>(*round), nodes, {}, {}, ""});
  }
  const auto rail = static_cast<std::size_t>(integer(record.data, "rail").value_or(0));
  it->busbw_gBps.resize(std::max(it->busbw_gBps.size(), rail + 1));
  it->busbw_gBps[rail] = number(record.data, "busbw_gBps");
  if (const std::string failure = text(record.data, "failure"); !failure.empty()) it->failure = failure;
  for (const Json& value : member(record.data, "tflops"))
    it->tflops.push_back(value.is_number() ? std::optional(value.get<double>()) : std::nullopt);
  search.size_bytes = integer(record.data, "size_bytes").value_or(search.size_bytes);
  search.rounds = std::max(search.rounds, static_cast<int>(*round) + 1);
}

LocateSearch read_search(const TaskData& task) {
  LocateSearch search;
  search.task = &task;
  const std::vector<Entry>& starts = task.of(kind::kTaskStart);
  if (!starts.empty()) {
    for (const Json& name : member(starts.back().record.data, "nodes")) {
      if (name.is_string()) search.nodes.push_back(name.get<std::string>());
    }
  }
  for (const char* one : {kind::kLocateNode, kind::kLocateLink, kind::kLocateGroup}) {
    for (const Entry& entry : task.of(one)) take(search, entry.record);
  }
  std::stable_sort(search.results.begin(), search.results.end(),
                   [](const ProbeResult& a, const ProbeResult& b) { return a.round < b.round; });
  search.ranks.assign(search.nodes.size(), 0);
  for (const ProbeResult& result : search.results) {
    if (result.nodes.size() == 1)
      search.ranks[static_cast<std::size_t>(result.nodes.front())] = static_cast<int>(result.tflops.size());
  }
  search.complete = task.status() == TaskStatus::kOk && !task.of(kind::kLocate).empty();
  if (search.complete) search.duration_s = number(task.of(kind::kLocate).back().record.data, "duration_s");
  judge_suspects(search);
  return search;
}

Verdict verdict_of(const LocateSearch& search, const LocateFault& fault) {
  Verdict verdict;
  verdict.item =
      fmt::format("Slow parts, {}: {}", on_nodes(static_cast<int>(search.nodes.size())), fault.name);
  verdict.required = "as fast as the others";
  verdict.achieved = fault.share > 0 ? fmt::format("{:.0f} % of normal", fault.share * 100) : "no answer";
  verdict.mark = fault.standing == Standing::kConfirmed ? Mark::kFail : Mark::kNotJudged;
  verdict.note = fault.standing == Standing::kNotRepeated ? "slow once, not again when tested; " : "";
  verdict.note += fault.evidence.substr(0, fault.evidence.find(';'));  // the section has the rest
  return verdict;
}

/// "A link below 95.0 % of normal would have been named", or that the noise hides any.
std::string would_be_named(const char* what, double share) {
  if (share <= 0)
    return fmt::format("The probes vary so much that no slow {} could be told from noise: repeat it when the "
                       "nodes are idle, with larger --size",
                       what);
  return fmt::format("A {} below {:.1f} % of normal would have been named", what, share * 100);
}

}  // namespace

int LocateSearch::confirmed() const {
  return static_cast<int>(std::count_if(faults.begin(), faults.end(), [](const LocateFault& fault) {
    return fault.standing == Standing::kConfirmed;
  }));
}

std::vector<LocateSearch> read_searches(const Dataset& dataset) {
  std::vector<LocateSearch> searches;
  for (const TaskData& task : dataset.tasks) {
    if (task.phase == "locate") searches.push_back(read_search(task));
  }
  return searches;
}

std::vector<std::string> sensitivity(const LocateSearch& search) {
  std::vector<std::string> lines;
  const plan::Spread& spread = search.spread;
  const std::size_t nodes = search.nodes.size();
  if (spread.node_share)
    lines.push_back(would_be_named("node or a rail", *spread.node_share) + ".");
  if (spread.link_share)
    lines.push_back(fmt::format("{}{}.", would_be_named("link", *spread.link_share),
                                search.task->of(kind::kLocate).empty() ||
                                        flag(search.task->of(kind::kLocate).back().record.data, "all_pairs")
                                    ? ""
                                    : ", where it was among the sampled pairs or in a slow ring"));
  if (spread.gpu_share)
    lines.push_back(would_be_named("device (by its matrix product)", *spread.gpu_share) + ".");
  if (nodes == 1) lines.emplace_back("One node has no pair: only its own ranks were compared.");
  if (nodes == 2)
    lines.emplace_back(
        "Two nodes make one pair, which nothing here tells from a slow one: `sxbench nccl` judges "
        "it against the line rate.");
  return lines;
}

void judge_searches(const std::vector<LocateSearch>& searches, std::vector<Verdict>& verdicts) {
  for (const LocateSearch& search : searches) {
    for (const LocateFault& fault : search.faults) verdicts.push_back(verdict_of(search, fault));
    if (search.confirmed() > 0) continue;
    Verdict verdict{fmt::format("Slow parts, {}", on_nodes(static_cast<int>(search.nodes.size()))),
                    "no slow node, GPU, rail or link", "nothing found", Mark::kPass, ""};
    if (!search.complete)
      verdict = {verdict.item, verdict.required, "", Mark::kNotMeasured, search.task->reason()};
    if (search.complete) verdict.note = join(sensitivity(search), " ");
    verdicts.push_back(std::move(verdict));
  }
}

std::optional<double> pair_gBps(const LocateSearch& search, int node, int peer) {
  const std::vector<int> nodes = {std::min(node, peer), std::max(node, peer)};
  std::vector<double> values;
  bool failed = false;
  for (const ProbeResult& result : search.results) {
    if (result.nodes != nodes || result.stage == LocateStage::kConfirm) continue;
    failed = failed || !result.failure.empty();
    std::optional<double> slowest;
    for (const auto& value : result.busbw_gBps) {
      if (value) slowest = std::min(slowest.value_or(*value), *value);
    }
    if (slowest && result.failure.empty()) values.push_back(*slowest);
  }
  if (!values.empty()) return stats::median(values);
  return failed ? std::optional(0.0) : std::nullopt;
}

}  // namespace sxb::analysis
