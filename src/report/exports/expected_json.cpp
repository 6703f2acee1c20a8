// The parts of summary.json that say what was expected.
#include "report/document/format.h"
#include "report/exports/summary_parts.h"

namespace sxb::report {

using analysis::Check;
using analysis::NcclGroup;

Json expected_json(const NcclGroup& group) {
  Json json = {{"verdict", to_string(group.mark)}};
  if (!group.expected.value) {
    json["unknown"] = group.expected.unknown;
  } else {
    const analysis::Expectation& expected = *group.expected.value;
    json["algorithm"] = expected.algorithm;
    json["chosen_by"] = expected.chosen_by;
    json["resource"] = expected.resource;
    json["busbw_gBps"] = expected.busbw_gBps;
    json["alpha_us"] = expected.alpha_us;
    json["ramp_us"] = expected.ramp_us;
    json["arithmetic"] = expected.arithmetic;
    json["pass_share"] = expected.pass;
    json["warn_share"] = expected.warn;
    json["bound"] = group.bound;
  }
  Json fit = nullptr;
  if (group.fit) {
    fit = {{"alpha_us", group.fit->alpha_us},
           {"algbw_gBps", group.fit->algbw_gBps},
           {"ramp_us", group.fit->ramp_us},
           {"scatter", group.fit->scatter}};
  }
  json["fit"] = std::move(fit);
  json["nic_formula_gBps"] = json_or_null(group.nic_formula_gBps);
  json["nics"] = Json::array();
  for (const analysis::NicRate& nic : group.nics) {
    json["nics"].push_back({{"node", nic.node},
                            {"name", nic.name},
                            {"tx_gBps", json_or_null(nic.tx_gBps)},
                            {"rx_gBps", json_or_null(nic.rx_gBps)},
                            {"line_gBps", json_or_null(nic.line_gBps)},
                            {"note", nic.note}});
  }
  return json;
}

Json checks_json(const std::vector<Check>& checks) {
  Json json = Json::array();
  for (const Check& check : checks) {
    json.push_back({{"figure", check.figure},
                    {"of", check.subject},
                    {"value", check.value},
                    {"limit", check.limit},
                    {"unit", check.unit},
                    {"resource", check.resource},
                    {"implausible", check.implausible()},
                    {"arithmetic", check.arithmetic()}});
  }
  return json;
}

}  // namespace sxb::report
