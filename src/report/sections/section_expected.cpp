// Expected and measured: what the topology lets expect of each sweep, what came, and every figure against the
// speed of light.
#include <fmt/format.h>

#include <algorithm>

#include "base/units.h"
#include "report/document/format.h"
#include "report/sections/sections.h"

namespace sxb::report {
namespace {

using analysis::Analysis;
using analysis::Check;
using analysis::NcclGroup;

bool shown(const NcclGroup& group) {
  return group.backend == "nccl" && group.ranks > 1 && !group.rows.empty();
}

bool any_shown(const Analysis& analysis) {
  return std::any_of(analysis.nccl.begin(), analysis.nccl.end(), shown);
}

std::string percent(std::optional<double> share) {
  return share ? fmt::format("{:.0f} %", *share * 100) : "–";
}

Table groups_table(const Analysis& analysis) {
  Table table{{{"Sweep"},
               {"Algorithm"},
               {"Limited by"},
               {"Expected B (GB/s)", true},
               {"Fitted B (GB/s)", true},
               {"Expected α (µs)", true},
               {"Fitted α (µs)", true},
               {"Largest size (GB/s)", true},
               {"Of expected", true},
               {"Verdict"},
               {"Where it stands"}},
              {}};
  for (const NcclGroup& group : analysis.nccl) {
    if (!shown(group)) continue;
    const auto& expected = group.expected.value;
    const analysis::SweepRow& largest = group.rows.back();
    std::optional<double> fitted_alpha;
    if (group.fit) fitted_alpha = group.fit->alpha_us;
    std::string algorithm = "–";
    if (expected)
      algorithm = expected->chosen_by.empty()
                      ? expected->algorithm
                      : fmt::format("{} ({})", expected->algorithm, expected->chosen_by);
    table.rows.push_back({group.label(), algorithm, expected ? expected->resource : "–",
                          expected ? fmt::format("{:.1f}", expected->busbw_gBps) : "–",
                          cell(group.fitted_busbw_gBps()), expected ? cell(expected->alpha_us) : "–",
                          cell(fitted_alpha), cell(largest.out_of_place.busbw_gBps),
                          percent(largest.of_expected()), to_string(group.mark),
                          expected ? group.bound : group.expected.unknown});
  }
  return table;
}

List arithmetic(const Analysis& analysis) {
  List list;
  for (const NcclGroup& group : analysis.nccl) {
    if (shown(group) && group.expected.value)
      list.items.push_back(fmt::format("{}: {}", group.label(), group.expected.value->arithmetic));
  }
  return list;
}

/// NICs by their counters, each beside what the formula says that it must have carried.
void add_nics(const Analysis& analysis, Document& document) {
  Table table{{{"Sweep"},
               {"Node"},
               {"NIC"},
               {"Sent (GB/s)", true},
               {"Received (GB/s)", true},
               {"By the formula (GB/s)", true},
               {"Line rate (GB/s)", true},
               {"Note"}},
              {}};
  for (const NcclGroup& group : analysis.nccl) {
    for (const analysis::NicRate& nic : group.nics) {
      table.rows.push_back({group.label(), nic.node, nic.name, cell(nic.tx_gBps), cell(nic.rx_gBps),
                            cell(group.nic_formula_gBps), cell(nic.line_gBps), nic.note});
    }
  }
  if (table.rows.empty()) return;
  document.add(Heading{3, "Per NIC, from its counters"});
  document.add(
      Paragraph{"The busiest half second of the sweep, which is that of its largest sizes, beside what the "
                "algorithm's formula "
                "says for the highest busbw. A counter includes headers; a sweep whose largest sizes last "
                "less than a second is "
                "not compared."});
  document.add(std::move(table));
}

void add_speed_of_light(const Analysis& analysis, Document& document) {
  const std::vector<Check> checks = analysis.checks();
  if (checks.empty()) return;
  document.add(Heading{3, "Speed of light"});
  document.add(
      Paragraph{"No figure can exceed what the hardware allows. Of each kind of figure the one that comes "
                "nearest to its limit; "
                "one above it is IMPLAUSIBLE and fails the report."});
  Table table{
      {{"Figure"}, {"Of"}, {"Value", true}, {"Limit", true}, {"Share", true}, {"Verdict"}, {"Arithmetic"}},
      {}};
  for (const Check& check : checks) {
    const auto with_unit = [&](double value) {
      return check.unit.empty() ? sensible(value) : fmt::format("{} {}", sensible(value), check.unit);
    };
    table.rows.push_back({check.figure, check.subject, with_unit(check.value), with_unit(check.limit),
                          percent(check.share()), check.implausible() ? "IMPLAUSIBLE" : "PASS",
                          fmt::format("{} ({})", check.arithmetic(), check.resource)});
  }
  document.add(std::move(table));
}

}  // namespace

LineChart expected_chart(const NcclGroup& group) {
  LineChart chart{
      fmt::format("Expected and measured, {}", group.label()), "size", "busbw GB/s", true, true, {}};
  Series measured{"measured", {}}, expected{"expected", {}}, limit{"physical limit", {}};
  for (const analysis::SweepRow& row : group.rows) {
    const double size = static_cast<double>(row.size_bytes);
    if (!row.out_of_place.busbw_gBps || size <= 0) continue;
    measured.points.emplace_back(size, *row.out_of_place.busbw_gBps);
    if (group.expected.value) expected.points.emplace_back(size, group.expected.value->busbw_at(size));
    if (group.limit) limit.points.emplace_back(size, group.limit->busbw_gBps);
  }
  for (Series* series : {&measured, &expected, &limit}) {
    if (!series->points.empty()) chart.series.push_back(std::move(*series));
  }
  return chart;
}

bool has_expected(const Analysis& analysis) { return any_shown(analysis) || !analysis.checks().empty(); }

void add_expected(const Analysis& analysis, Document& document) {
  if (any_shown(analysis)) {
    document.add(
        Paragraph{"Expected: busbw of large messages (B) and latency (α) from the topology, the algorithm "
                  "and the facts in "
                  "configs/hardware, as docs/expectations.md derives them. Fitted: from this sweep, t = α + "
                  "ramp·√size + size/B. "
                  "Sizes from 256 MiB on are judged against the expected value, smaller ones against the "
                  "sweep's own fit; the "
                  "latency is shown, not judged."});
    document.add(groups_table(analysis));
    if (List list = arithmetic(analysis); !list.items.empty()) document.add(std::move(list));
    int number = 0;
    for (const NcclGroup& group : analysis.nccl) {
      ++number;
      // Of a split one chart a group would be too many: the table has them all.
      if (!shown(group) || group.groups > 1 || !(group.expected.value || group.limit)) continue;
      Figure figure{fmt::format("expected_{}_{}_nodes_{}", number, group.collective, group.nodes),
                    expected_chart(group)};
      if (!is_empty(figure.chart)) document.add(std::move(figure));
    }
    add_nics(analysis, document);
  }
  add_speed_of_light(analysis, document);
}

}  // namespace sxb::report
