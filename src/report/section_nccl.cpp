#include <fmt/format.h>

#include "report/format.h"
#include "report/sections.h"
#include "sxbench/base/units.h"

namespace sxb::report {
namespace {

using analysis::Bandwidth;
using analysis::NcclGroup;

std::string wrong_cell(const Bandwidth& bandwidth) {
  return bandwidth.wrong ? fmt::format("{:g}", *bandwidth.wrong) : "not checked";
}

void add_group(const NcclGroup& group, Document& document) {
  document.add(Heading{3, fmt::format("{} on {}", group.collective, analysis::on_nodes(group.nodes))});
  if (group.rows.empty()) {
    document.add(Paragraph{fmt::format("No result: {}.", group.tasks.front()->reason())});
    return;
  }
  std::string facts = fmt::format("{} ranks on {}, {}.", group.ranks,
                                  group.hosts == 0   ? "an unknown number of machines"
                                  : group.hosts == 1 ? "one machine"
                                                     : fmt::format("{} machines", group.hosts),
                                  group.backend == "nccl"   ? "NCCL"
                                  : group.backend == "gloo" ? "Gloo over CPU memory"
                                                            : "backend unknown");
  if (group.limit)
    facts += fmt::format(" Physical limit of busbw: {:.1f} GB/s ({}).", group.limit->busbw_gBps,
                         group.limit->resource);
  if (group.wire_gbps)
    facts += fmt::format(" At the largest size each machine sends {:.1f} Gbit/s.", *group.wire_gbps);
  if (group.wire_gbps && group.line_gbps)
    facts += fmt::format(" That is {:.1f} % of its line rate.", *group.wire_gbps / *group.line_gbps * 100);
  if (group.ranks == 1) facts += " One rank transfers nothing: there is a time, but no bandwidth.";
  document.add(Paragraph{facts});
  Table table{{{"Size", true},
               {"Type"},
               {"Op"},
               {"Time (µs)", true},
               {"algbw (GB/s)", true},
               {"busbw (GB/s)", true},
               {"Wrong", true},
               {"In place: time (µs)", true},
               {"algbw (GB/s)", true},
               {"busbw (GB/s)", true},
               {"Wrong", true}},
              {}};
  for (const analysis::SweepRow& row : group.rows) {
    std::vector<std::string> cells = {format_bytes(row.size_bytes), row.dtype, row.redop};
    for (const Bandwidth* bandwidth : {&row.out_of_place, &row.in_place}) {
      cells.insert(cells.end(), {cell(bandwidth->time_us), cell(bandwidth->algbw_gBps),
                                 cell(bandwidth->busbw_gBps), wrong_cell(*bandwidth)});
    }
    if (row.implausible) cells[5] += " IMPLAUSIBLE";
    table.rows.push_back(std::move(cells));
  }
  document.add(std::move(table));
}

}  // namespace

void add_nccl(const analysis::Analysis& analysis, Document& document) {
  if (analysis.nccl.empty()) return;
  document.add(Heading{2, "Collectives"});
  document.add(Paragraph{
      "Definitions of nccl-tests: time is that of the slowest rank, algbw = size / time, busbw = algbw x "
      "the share of the data that each rank must send. GB = 10^9 bytes. The same in nccl-tests' text: "
      "`nccl_allreduce.log`."});
  for (const NcclGroup& group : analysis.nccl) add_group(group, document);
  Figure figure{"nccl_busbw", busbw_chart(analysis)};
  if (!is_empty(figure.chart)) document.add(std::move(figure));
}

}  // namespace sxb::report
