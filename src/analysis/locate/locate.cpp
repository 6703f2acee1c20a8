#include "analysis/locate/locate.h"

#include <fmt/format.h>

#include <algorithm>

#include "analysis/locate/locate_judge.h"
#include "base/text.h"
#include "stats/stats.h"

namespace sxb::analysis {
namespace {

using plan::LocateStage;
using plan::ProbeResult;
using plan::Standing;

/// A search that would not have named a part of this share of normal says nothing useful.
constexpr double kUsefulShare = 0.5;
/// Standard deviation between repeats which alone would hide no such part.
constexpr double kSteady = 0.1;

int place_of(const LocateSearch& search, const std::string& name) {
  const auto it = std::find(search.nodes.begin(), search.nodes.end(), name);
  return it == search.nodes.end() ? -1 : static_cast<int>(it - search.nodes.begin());
}

/// Their places among the nodes of the task; empty if one is unknown.
std::vector<int> places_of(const LocateSearch& search, const std::vector<std::string>& names) {
  std::vector<int> places;
  for (const std::string& name : names) places.push_back(place_of(search, name));
  if (std::find(places.begin(), places.end(), -1) != places.end()) places.clear();
  return places;
}

std::vector<std::string> names_in(const record::LocateNode& probe) { return {probe.node}; }
std::vector<std::string> names_in(const record::LocateLink& probe) {
  return {probe.a.value_or(record::LocateEnd{}).node, probe.b.value_or(record::LocateEnd{}).node};
}
std::vector<std::string> names_in(const record::LocateGroup& probe) { return probe.nodes; }

/// Records of one probe, one per rail, stand together in one result.
template <typename Probe>
void take(LocateSearch& search, const Probe& probe) {
  const auto stage = plan::parse_locate_stage(probe.stage);
  const std::vector<int> nodes = places_of(search, names_in(probe));
  if (!stage.ok() || !probe.round || nodes.empty()) return;
  auto it = std::find_if(search.results.begin(), search.results.end(), [&](const ProbeResult& result) {
    return result.round == *probe.round && result.nodes == nodes;
  });
  if (it == search.results.end())
    it = search.results.insert(search.results.end(), {*stage, *probe.round, nodes, {}, {}, ""});
  std::size_t rail = 0;
  if constexpr (requires { probe.rail; }) rail = static_cast<std::size_t>(probe.rail.value_or(0));
  it->busbw_gBps.resize(std::max(it->busbw_gBps.size(), rail + 1));
  it->busbw_gBps[rail] = probe.busbw_gBps;
  if (!probe.failure.empty()) it->failure = probe.failure;
  if constexpr (requires { probe.tflops; })
    it->tflops.insert(it->tflops.end(), probe.tflops.begin(), probe.tflops.end());
  search.size_bytes = probe.size_bytes.value_or(search.size_bytes);
  search.rounds = std::max(search.rounds, *probe.round + 1);
}

LocateSearch read_search(const TaskData& task) {
  LocateSearch search;
  search.task = &task;
  search.nodes = task.last<record::TaskStart>().nodes;
  for (const auto& entry : task.of<record::LocateNode>()) take(search, entry.data);
  for (const auto& entry : task.of<record::LocateLink>()) take(search, entry.data);
  for (const auto& entry : task.of<record::LocateGroup>()) take(search, entry.data);
  std::stable_sort(search.results.begin(), search.results.end(),
                   [](const ProbeResult& a, const ProbeResult& b) { return a.round < b.round; });
  search.ranks.assign(search.nodes.size(), 0);
  for (const ProbeResult& result : search.results) {
    if (result.nodes.size() == 1)
      search.ranks[static_cast<std::size_t>(result.nodes.front())] = static_cast<int>(result.tflops.size());
  }
  search.complete = task.status() == TaskStatus::kOk && !task.of<record::Locate>().empty();
  if (search.complete) search.duration_s = task.last<record::Locate>().duration_s;
  judge_search(search);
  return search;
}

/// "A link below 95.0 % of normal would have been named", or that the noise hides any.
std::string would_be_named(const char* what, double share) {
  if (share <= 0) return fmt::format("No slow {} could have been told from noise", what);
  return fmt::format("A {} below {:.1f} % of normal would have been named", what, share * 100);
}

std::string names_of(const LocateSearch& search, Standing standing) {
  std::vector<std::string> names;
  for (const LocateFault& fault : search.faults) {
    if (fault.trial.standing == standing) names.push_back(fault.name);
  }
  return join(names, ", ");
}

}  // namespace

const char* LocateFault::verdict() const {
  switch (trial.standing) {
    case Standing::kConfirmed:
      return "FAIL";
    case Standing::kInconclusive:
      return "inconclusive";
    case Standing::kNotRepeated:
      return "not repeated";
    case Standing::kUntested:
      return "not tested";
  }
  return "";
}

int LocateSearch::count(Standing standing) const {
  return static_cast<int>(std::count_if(faults.begin(), faults.end(), [&](const LocateFault& fault) {
    return fault.trial.standing == standing;
  }));
}

std::vector<LocateSearch> read_searches(const Dataset& dataset) {
  std::vector<LocateSearch> searches;
  for (const TaskData& task : dataset.tasks) {
    if (task.phase == "locate") searches.push_back(read_search(task));
  }
  return searches;
}

std::string inconclusive(const LocateSearch& search) {
  if (!search.complete || search.confirmed() > 0) return "";
  std::vector<std::string> reasons;
  if (search.count(Standing::kInconclusive) > 0)
    reasons.push_back("nothing tells whether this is slow: " + names_of(search, Standing::kInconclusive));
  if (search.count(Standing::kUntested) > 0)
    reasons.push_back("nothing above suspicion was left to test with: " +
                      names_of(search, Standing::kUntested));
  const plan::Spread& spread = search.spread;
  const bool blind = std::min(spread.node_share.value_or(1), spread.link_share.value_or(1)) < kUsefulShare;
  if (blind) reasons.emplace_back("a node or link of half the normal speed could have been missed");
  if (reasons.empty()) return "";
  const std::string why = join(reasons, "; ");
  const double noise = spread.noise.value_or(0);
  if (blind && noise < kSteady)
    return fmt::format(
        "{}: pairs differ from each other, and each repeats its figure within {:.1f} %. The heat "
        "map shows which belong together; search each group by itself (--exclude)",
        why, noise * 100);
  return fmt::format(
      "repeated probes of a pair differ by {:.0f} %; {}. Stop what else runs on the nodes, then "
      "use a larger --size or more --rounds",
      noise * 100, why);
}

std::vector<std::string> sensitivity(const LocateSearch& search) {
  std::vector<std::string> lines;
  const plan::Spread& spread = search.spread;
  if (spread.noise)
    lines.push_back(fmt::format("Repeated probes of a pair differ by {:.1f} % (standard deviation).",
                                *spread.noise * 100));
  const std::size_t nodes = search.nodes.size();
  if (spread.node_share) lines.push_back(would_be_named("node or rail", *spread.node_share) + ".");
  if (spread.link_share)
    lines.push_back(fmt::format("{}{}.", would_be_named("link", *spread.link_share),
                                search.task->of<record::Locate>().empty() ||
                                        search.task->last<record::Locate>().all_pairs.value_or(false)
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
