#include "analysis/locate_judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "analysis/json_read.h"
#include "stats/outliers.h"
#include "stats/stats.h"
#include "sxbench/base/text.h"

namespace sxb::analysis {
namespace {

namespace kind = record::kind;
using plan::Fault;
using plan::LocateStage;
using plan::ProbeResult;
using plan::Suspect;

/// A test that stays below this share of normal bears the suspicion out: the effect of the outlier rule.
const double kStillSlow = 1 - stats::OutlierRule{}.effect;

std::size_t index(int i) { return static_cast<std::size_t>(i); }

std::optional<double> median_of(const std::vector<double>& values) {
  return values.empty() ? std::nullopt : std::optional(stats::median(values));
}

/// The figure of a test: of one rail, or the median over all. 0 if it failed.
std::optional<double> figure(const ProbeResult& test, int rail) {
  if (!test.failure.empty()) return 0;
  std::vector<double> values;
  for (std::size_t i = 0; i < test.busbw_gBps.size(); ++i) {
    if (test.busbw_gBps[i] && (rail < 0 || index(rail) == i)) values.push_back(*test.busbw_gBps[i]);
  }
  return median_of(values);
}

/// Tests of a pair: of exactly these two, or of `node` with any partner of `good`.
struct Tests {
  std::vector<double> values;
  std::vector<int> partners;
  std::optional<double> median() const { return median_of(values); }
};

Tests tests_of_pair(const LocateSearch& search, int node, int peer, int rail) {
  Tests tests;
  for (const ProbeResult& test : search.results) {
    if (test.stage != LocateStage::kConfirm || test.nodes != std::vector<int>{node, peer}) continue;
    if (const auto value = figure(test, rail)) tests.values.push_back(*value);
  }
  return tests;
}

Tests tests_with_good(const LocateSearch& search, int node, const std::vector<int>& good, int rail) {
  Tests tests;
  for (const ProbeResult& test : search.results) {
    if (test.stage != LocateStage::kConfirm || test.nodes.size() != 2) continue;
    if (test.nodes[0] != node && test.nodes[1] != node) continue;
    const int partner = test.nodes[0] == node ? test.nodes[1] : test.nodes[0];
    if (std::find(good.begin(), good.end(), partner) == good.end()) continue;
    if (const auto value = figure(test, rail)) {
      tests.values.push_back(*value);
      tests.partners.push_back(partner);
    }
  }
  return tests;
}

/// Tests of what one node does by itself: the matrix product of a rank, or its ranks together.
Tests tests_alone(const LocateSearch& search, const Suspect& suspect) {
  Tests tests;
  for (const ProbeResult& test : search.results) {
    if (test.stage != LocateStage::kConfirm || test.nodes != std::vector<int>{suspect.node}) continue;
    std::optional<double> value = figure(test, -1);
    if (suspect.fault == Fault::kGpu)
      value = index(suspect.rail) < test.tflops.size() ? test.tflops[index(suspect.rail)] : std::nullopt;
    if (value) tests.values.push_back(*value);
  }
  return tests;
}

/// One rail of the ring of all nodes, as a share of the median of all rails in the same test.
Tests tests_of_rail(const LocateSearch& search, const Suspect& suspect) {
  Tests tests;
  for (const ProbeResult& test : search.results) {
    if (test.stage != LocateStage::kConfirm || test.nodes.size() != search.nodes.size()) continue;
    const auto own = figure(test, suspect.rail);
    const auto all = figure(test, -1);
    if (own && all && *all > 0) tests.values.push_back(suspect.normal * *own / *all);
  }
  return tests;
}

/// "16, 16.2 GB/s", "no answer, 16 GB/s", "no answer, no answer".
std::string figures_text(const std::vector<double>& values, const char* unit) {
  std::vector<std::string> words;
  for (const double value : values) words.push_back(value > 0 ? fmt::format("{:.3g}", value) : "no answer");
  const bool any = std::any_of(values.begin(), values.end(), [](double value) { return value > 0; });
  return join(words, ", ") + (any ? fmt::format(" {}", unit) : "");
}

std::string partner_names(const LocateSearch& search, const std::vector<int>& partners) {
  std::vector<std::string> names;
  for (const int partner : partners) {
    const std::string& name = search.nodes[index(partner)];
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return join(names, ", ");
}

/// What `from` sends to `to` when it sends alone, over all tests; -1 = anybody.
std::optional<double> one_way(const LocateSearch& search, int from, int to, int rail) {
  std::vector<double> values;
  for (const Entry& entry : search.task->of(kind::kLocateLink)) {
    const Json& data = entry.record.data;
    if (rail >= 0 && integer(data, "rail") != rail) continue;
    const std::string a = text(member(data, "a"), "node"), b = text(member(data, "b"), "node");
    const auto is = [&](int node, const std::string& name) {
      return node < 0 || search.nodes[index(node)] == name;
    };
    if (is(from, a) && is(to, b)) {
      if (const auto value = number(data, "a_to_b_gBps")) values.push_back(*value);
    }
    if (is(from, b) && is(to, a)) {
      if (const auto value = number(data, "b_to_a_gBps")) values.push_back(*value);
    }
  }
  return median_of(values);
}

/// "(rank 29, GPU 5)" of a local rank, from its device record.
std::string rank_text(const LocateSearch& search, int node, int local) {
  int rank = local;
  for (int i = 0; i < node; ++i) rank += search.ranks[index(i)];
  for (const Entry& entry : search.task->of(kind::kDevice)) {
    const auto gpu = integer(entry.record.data, "gpu");
    if (entry.record.rank == rank && gpu && *gpu >= 0) return fmt::format("rank {}, GPU {}", rank, *gpu);
  }
  return fmt::format("rank {}", rank);
}

std::string name_of(const LocateSearch& search, const Suspect& s) {
  const auto node = [&](int i) { return search.nodes[index(i)]; };
  switch (s.fault) {
    case Fault::kGpu:
      return fmt::format("{}: {}", node(s.node), rank_text(search, s.node, s.rail));
    case Fault::kNodeLocal:
      return fmt::format("{}: inside the node", node(s.node));
    case Fault::kNode:
      return node(s.node);
    case Fault::kNodeRail:
      return fmt::format("{}: rail {} ({})", node(s.node), s.rail, rank_text(search, s.node, s.rail));
    case Fault::kLink:
      return fmt::format("link {} - {}{}", node(s.node), node(s.peer),
                         s.rail < 0 ? "" : fmt::format(", rail {}", s.rail));
    case Fault::kRail:
      return fmt::format("rail {} of all nodes", s.rail);
  }
  return "";
}

const char* subject_of(Fault fault) {
  switch (fault) {
    case Fault::kGpu:
      return "its matrix product reaches";
    case Fault::kNodeLocal:
      return "its ranks among themselves reach";
    case Fault::kNode:
    case Fault::kNodeRail:
      return "with every partner it reaches";
    case Fault::kLink:
      return "it reaches";
    case Fault::kRail:
      return "its pairs reach";
  }
  return "";
}

const char* unit_of(Fault fault) { return fault == Fault::kGpu ? "TFLOP/s" : "GB/s"; }

/// The direction that is slow, where each was measured alone.
std::string ways_text(const LocateSearch& search, const Suspect& s) {
  if (s.fault != Fault::kNode && s.fault != Fault::kNodeRail && s.fault != Fault::kLink) return "";
  const auto out = one_way(search, s.node, s.peer, s.rail);
  const auto in = one_way(search, s.peer, s.node, s.rail);
  if (!out || !in) return "";
  if (s.fault != Fault::kLink) return fmt::format("; sends {:.3g}, receives {:.3g} GB/s alone", *out, *in);
  return fmt::format("; one way alone: {} to {} {:.3g}, back {:.3g} GB/s", search.nodes[index(s.node)],
                     search.nodes[index(s.peer)], *out, *in);
}

Tests tests_of(const LocateSearch& search, const Suspect& s, const std::vector<int>& good) {
  switch (s.fault) {
    case Fault::kGpu:
    case Fault::kNodeLocal:
      return tests_alone(search, s);
    case Fault::kNode:
    case Fault::kNodeRail:
      return tests_with_good(search, s.node, good, s.rail);
    case Fault::kLink:
      return tests_of_pair(search, s.node, s.peer, s.rail);
    case Fault::kRail:
      return tests_of_rail(search, s);
  }
  return {};
}

std::string tests_text(const LocateSearch& search, const Suspect& s, const Tests& tests) {
  if (tests.values.empty()) {
    const bool pair = s.fault == Fault::kNode || s.fault == Fault::kNodeRail;
    return pair ? "; not tested: no partner above suspicion was left" : "; not tested again";
  }
  const std::string with =
      tests.partners.empty() ? "" : fmt::format(" with {}", partner_names(search, tests.partners));
  return fmt::format("; tested again{}: {}", with, figures_text(tests.values, unit_of(s.fault)));
}

LocateFault judge(const LocateSearch& search, const Suspect& suspect, const std::vector<int>& good) {
  LocateFault fault;
  fault.suspect = suspect;
  fault.name = name_of(search, suspect);
  const Tests tests = tests_of(search, suspect, good);
  const auto median = tests.median();
  fault.share = median && suspect.normal > 0 ? *median / suspect.normal : suspect.share;
  if (median) fault.standing = fault.share < kStillSlow ? Standing::kConfirmed : Standing::kNotRepeated;
  fault.evidence = suspect.share > 0
                       ? fmt::format("{} {:.3g} of {:.3g} {} ({:.0f} %)", subject_of(suspect.fault),
                                     suspect.share * suspect.normal, suspect.normal, unit_of(suspect.fault),
                                     suspect.share * 100)
                       : std::string("no answer");
  fault.evidence += tests_text(search, suspect, tests) + ways_text(search, suspect);
  return fault;
}

/// A link of which one end is slow with others too is not at fault: that end is.
void follow_to_the_end(const LocateSearch& search, const std::vector<int>& good, LocateFault& fault) {
  if (fault.suspect.fault != Fault::kLink || fault.standing != Standing::kConfirmed) return;
  for (const int node : {fault.suspect.node, fault.suspect.peer}) {
    const Tests tests = tests_with_good(search, node, good, fault.suspect.rail);
    const auto median = tests.median();
    if (!median || fault.suspect.normal <= 0) continue;
    const std::string with =
        fmt::format("{} with {}: {}", search.nodes[index(node)], partner_names(search, tests.partners),
                    figures_text(tests.values, "GB/s"));
    if (*median >= kStillSlow * fault.suspect.normal) {
      fault.evidence += "; its end " + with;
      continue;
    }
    fault.suspect.fault = fault.suspect.rail < 0 ? Fault::kNode : Fault::kNodeRail;
    fault.suspect.node = node;
    fault.suspect.peer = -1;
    fault.name = name_of(search, fault.suspect);
    fault.evidence += "; slow with others too: " + with;
    return;
  }
}

/// A node whose GPU is slow is slow in everything else too.
void name_causes(LocateSearch& search) {
  std::set<int> slow;
  for (const LocateFault& fault : search.faults) {
    if (fault.suspect.fault == Fault::kGpu && fault.standing == Standing::kConfirmed)
      slow.insert(fault.suspect.node);
  }
  for (LocateFault& fault : search.faults) {
    if (fault.suspect.fault == Fault::kGpu) continue;
    for (const int node : {fault.suspect.node, fault.suspect.peer}) {
      if (!slow.contains(node)) continue;
      fault.evidence += fmt::format("; may follow from the slow device of {}", search.nodes[index(node)]);
    }
  }
}

}  // namespace

void judge_suspects(LocateSearch& search) {
  const plan::Suspicion found = plan::find_suspects(search.ranks, search.results);
  search.spread = found.spread;
  const std::vector<int> good = plan::known_good(search.nodes.size(), found.suspects);
  for (const Suspect& suspect : found.suspects) {
    search.faults.push_back(judge(search, suspect, good));
    follow_to_the_end(search, good, search.faults.back());
  }
  name_causes(search);
  std::stable_sort(search.faults.begin(), search.faults.end(),
                   [](const LocateFault& a, const LocateFault& b) { return a.standing < b.standing; });
}

}  // namespace sxb::analysis
