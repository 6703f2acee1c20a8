#include "analysis/locate/locate.h"
#include "base/text.h"
#include "record/kinds/locate.h"
#include "report/document/format.h"
#include "report/exports/exports.h"
#include "report/exports/summary_parts.h"

namespace sxb::report {
namespace {

using analysis::LocateSearch;

std::string names(const record::LocateNode& probe) { return probe.node; }
std::string names(const record::LocateGroup& probe) { return join(probe.nodes, " "); }
std::string names(const record::LocateLink& probe) {
  const record::LocateEnd none;
  return probe.a.value_or(none).node + " " + probe.b.value_or(none).node;
}

/// One line of locate.csv; what a kind of probe does not have is an empty cell.
template <typename Probe>
std::string row(const LocateSearch& search, const Probe& probe) {
  std::optional<double> rail, a_to_b_gBps, b_to_a_gBps;
  std::vector<std::string> tflops;
  if constexpr (requires { probe.rail; }) rail = probe.rail;
  if constexpr (requires { probe.a_to_b_gBps; }) {
    a_to_b_gBps = probe.a_to_b_gBps;
    b_to_a_gBps = probe.b_to_a_gBps;
  }
  if constexpr (requires { probe.tflops; }) {
    for (const std::optional<double>& value : probe.tflops) tflops.push_back(csv(value));
  }
  return csv_line({csv(search.task->id), csv(probe.stage), csv(probe.round), csv(names(probe)), csv(rail),
                   csv(probe.ranks), csv(probe.size_bytes), csv(probe.busbw_gBps), csv(probe.time_us),
                   csv(probe.iterations), csv(a_to_b_gBps), csv(b_to_a_gBps), csv(join(tflops, " ")),
                   csv(probe.failure)});
}

template <typename Probe>
void add_rows(const LocateSearch& search, std::string& out) {
  for (const analysis::Typed<Probe>& probe : search.task->of<Probe>()) out += row(search, probe.data);
}

Json text_or_null(const std::string& words) { return words.empty() ? Json(nullptr) : Json(words); }

Json fault_json(const LocateSearch& search, const analysis::LocateFault& fault) {
  const auto node = [&](int i) {
    return i < 0 ? Json(nullptr) : Json(search.nodes[static_cast<std::size_t>(i)]);
  };
  const char* kinds[] = {"gpu", "inside_node", "node", "node_rail", "link", "rail"};
  return {{"part", fault.name},
          {"kind", kinds[static_cast<int>(fault.trial.suspect.fault)]},
          {"node", node(fault.trial.suspect.node)},
          {"peer", node(fault.trial.suspect.peer)},
          {"rail", fault.trial.suspect.rail < 0 ? Json(nullptr) : Json(fault.trial.suspect.rail)},
          {"verdict", fault.verdict()},
          {"share_of_normal", fault.trial.share},
          {"evidence", fault.evidence}};
}

}  // namespace

std::string locate_csv(const analysis::Analysis& analysis) {
  std::string out = csv_line({"task", "stage", "round", "nodes", "rail", "ranks", "size_bytes", "busbw_gBps",
                              "time_us", "iterations", "a_to_b_gBps", "b_to_a_gBps", "tflops", "failure"});
  for (const LocateSearch& search : analysis.searches) {
    add_rows<record::LocateNode>(search, out);
    add_rows<record::LocateGroup>(search, out);
    add_rows<record::LocateLink>(search, out);
  }
  return out;
}

Json locate_json(const analysis::Analysis& analysis) {
  Json json = Json::array();
  for (const LocateSearch& search : analysis.searches) {
    Json faults = Json::array();
    for (const analysis::LocateFault& fault : search.faults) faults.push_back(fault_json(search, fault));
    json.push_back({{"task", search.task->id},
                    {"nodes", search.nodes},
                    {"complete", search.complete},
                    {"rounds", search.rounds},
                    {"size_bytes", search.size_bytes},
                    {"duration_s", json_or_null(search.duration_s)},
                    {"inconclusive", text_or_null(inconclusive(search))},
                    {"noise", json_or_null(search.spread.noise)},
                    {"pair_gBps", json_or_null(search.spread.pair_gBps)},
                    {"detectable_node_share", json_or_null(search.spread.node_share)},
                    {"detectable_link_share", json_or_null(search.spread.link_share)},
                    {"detectable_gpu_share", json_or_null(search.spread.gpu_share)},
                    {"faults", std::move(faults)}});
  }
  return json;
}

}  // namespace sxb::report
