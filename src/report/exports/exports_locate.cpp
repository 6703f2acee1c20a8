#include "analysis/locate/locate.h"
#include "analysis/read/json_read.h"
#include "base/text.h"
#include "report/document/format.h"
#include "report/exports/exports.h"
#include "report/exports/summary_parts.h"

namespace sxb::report {
namespace {

namespace kind = record::kind;
using analysis::Entry;
using analysis::LocateSearch;
using analysis::member;
using analysis::number;
using analysis::text;

std::string numbers(const Json& values) {
  std::vector<std::string> words;
  for (const Json& value : values)
    words.push_back(value.is_number() ? csv(std::optional(value.get<double>())) : "");
  return join(words, " ");
}

std::string names(const record::Record& record) {
  const Json& data = record.data;
  if (record.kind == kind::kLocateNode) return text(data, "node");
  std::vector<std::string> words;
  if (record.kind == kind::kLocateLink)
    words = {text(member(data, "a"), "node"), text(member(data, "b"), "node")};
  for (const Json& name : member(data, "nodes"))
    words.push_back(name.is_string() ? name.get<std::string>() : "");
  return join(words, " ");
}

std::string row(const LocateSearch& search, const Entry& entry) {
  const Json& data = entry.record.data;
  std::vector<std::string> cells = {csv(search.task->id),           csv(text(data, "stage")),
                                    csv(number(data, "round")),     csv(names(entry.record)),
                                    csv(number(data, "rail")),      csv(number(data, "ranks")),
                                    csv(number(data, "size_bytes"))};
  for (const char* key : {"busbw_gBps", "time_us", "iterations", "a_to_b_gBps", "b_to_a_gBps"})
    cells.push_back(csv(number(data, key)));
  cells.push_back(csv(numbers(member(data, "tflops"))));
  cells.push_back(csv(text(data, "failure")));
  return csv_line(cells);
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
    for (const char* one : {kind::kLocateNode, kind::kLocateGroup, kind::kLocateLink}) {
      for (const Entry& entry : search.task->of(one)) out += row(search, entry);
    }
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
