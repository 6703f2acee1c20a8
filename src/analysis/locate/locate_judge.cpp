#include "analysis/locate/locate_judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "stats/stats.h"

namespace sxb::analysis {
namespace {

using plan::Fault;
using plan::Standing;
using plan::Suspect;
using plan::Trial;

std::size_t index(int i) { return static_cast<std::size_t>(i); }

std::optional<double> median_of(const std::vector<double>& values) {
  return values.empty() ? std::nullopt : std::optional(stats::median(values));
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
  for (const auto& entry : search.task->of<record::LocateLink>()) {
    const record::LocateLink& link = entry.data;
    if ((rail >= 0 && link.rail != rail) || !link.a || !link.b) continue;
    const std::string &a = link.a->node, &b = link.b->node;
    const auto is = [&](int node, const std::string& name) {
      return node < 0 || search.nodes[index(node)] == name;
    };
    if (is(from, a) && is(to, b) && link.a_to_b_gBps) values.push_back(*link.a_to_b_gBps);
    if (is(from, b) && is(to, a) && link.b_to_a_gBps) values.push_back(*link.b_to_a_gBps);
  }
  return median_of(values);
}

/// "(rank 29, GPU 5)" of a local rank, from its device record.
std::string rank_text(const LocateSearch& search, int node, int local) {
  int rank = local;
  for (int i = 0; i < node; ++i) rank += search.ranks[index(i)];
  for (const auto& entry : search.task->of<record::Device>()) {
    const int gpu = entry.data.gpu.value_or(-1);
    if (entry.rank == rank && gpu >= 0) return fmt::format("rank {}, GPU {}", rank, gpu);
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

/// "47.9 to 48.1 GB/s", "48 GB/s".
std::string range_text(const std::vector<double>& values, const char* unit) {
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  const std::string low = fmt::format("{:.3g}", *least), high = fmt::format("{:.3g}", *most);
  return fmt::format("{}{} {}", low, low == high ? "" : " to " + high, unit);
}

std::string tests_text(const LocateSearch& search, const Trial& trial) {
  if (trial.values.empty()) {
    const bool pair = trial.suspect.fault == Fault::kNode || trial.suspect.fault == Fault::kNodeRail;
    return pair ? "; not tested: no partner above suspicion was left" : "; not tested again";
  }
  const std::string with =
      trial.partners.empty() ? "" : fmt::format(" with {}", partner_names(search, trial.partners));
  std::string out =
      fmt::format("; tested again{}: {}", with, figures_text(trial.values, unit_of(trial.suspect.fault)));
  if (!trial.others.empty())
    out += ", beside others at " + range_text(trial.others, unit_of(trial.suspect.fault));
  if (trial.standing == Standing::kInconclusive)
    out += fmt::format("; these tests tell from noise what is below {:.0f} %", trial.named_below * 100);
  return out;
}

/// What each end of a link reaches with others: a link of which one end is slow with them too became that
/// end.
std::string ends_text(const LocateSearch& search, const Trial& trial) {
  if (trial.standing != Standing::kConfirmed) return "";
  std::string out;
  for (const Trial& end : trial.ends) {
    const bool guilty = trial.suspect.fault != Fault::kLink && end.suspect.node == trial.suspect.node;
    if (guilty || end.values.empty()) continue;
    out += fmt::format("; {} {} with {}: {}", trial.suspect.fault == Fault::kLink ? "its end" : "its peer",
                       search.nodes[index(end.suspect.node)], partner_names(search, end.partners),
                       figures_text(end.values, "GB/s"));
  }
  return out;
}

LocateFault describe(const LocateSearch& search, Trial trial) {
  LocateFault fault;
  const Suspect& suspect = trial.suspect;
  fault.name = name_of(search, suspect);
  // The share of a link in the matrix says nothing of the end that it became.
  const bool became_end = suspect.fault != Fault::kLink && !trial.ends.empty();
  fault.evidence = became_end ? std::string("slow with others too")
                   : suspect.share > 0
                       ? fmt::format("{} {:.3g} of {:.3g} {} ({:.0f} %)", subject_of(suspect.fault),
                                     suspect.share * suspect.normal, suspect.normal, unit_of(suspect.fault),
                                     suspect.share * 100)
                       : std::string("no answer");
  fault.evidence += tests_text(search, trial) + ends_text(search, trial) + ways_text(search, suspect);
  fault.trial = std::move(trial);
  return fault;
}

/// A node whose GPU is slow is slow in everything else too.
void name_causes(LocateSearch& search) {
  std::set<int> slow;
  for (const LocateFault& fault : search.faults) {
    if (fault.trial.suspect.fault == Fault::kGpu && fault.trial.standing == Standing::kConfirmed)
      slow.insert(fault.trial.suspect.node);
  }
  for (LocateFault& fault : search.faults) {
    if (fault.trial.suspect.fault == Fault::kGpu) continue;
    for (const int node : {fault.trial.suspect.node, fault.trial.suspect.peer}) {
      if (!slow.contains(node)) continue;
      fault.evidence += fmt::format("; may follow from the slow device of {}", search.nodes[index(node)]);
    }
  }
}

}  // namespace

void judge_search(LocateSearch& search) {
  const int repeats = search.task->last<record::Locate>().repeats.value_or(plan::Locate{}.rounds);
  plan::Suspicion found = plan::find_suspects(search.ranks, search.results, repeats);
  search.spread = found.spread;
  for (Trial& trial : plan::judge_suspects(search.ranks, found.suspects, search.results))
    search.faults.push_back(describe(search, std::move(trial)));
  name_causes(search);
  std::stable_sort(
      search.faults.begin(), search.faults.end(),
      [](const LocateFault& a, const LocateFault& b) { return a.trial.standing < b.trial.standing; });
}

}  // namespace sxb::analysis
