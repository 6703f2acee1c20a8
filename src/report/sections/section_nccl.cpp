#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "analysis/nccl/nccl_rows.h"
#include "analysis/read/json_read.h"
#include "base/units.h"
#include "report/document/format.h"
#include "report/sections/sections.h"

namespace sxb::report {
namespace {

using analysis::Bandwidth;
using analysis::NcclGroup;
using analysis::SweepRow;

std::string wrong_cell(const Bandwidth& bandwidth) {
  return bandwidth.wrong ? fmt::format("{:g}", *bandwidth.wrong) : "not checked";
}

/// "RING/LL, 4 channels", else the kernels; "" if neither was recorded.
std::string path_cell(const SweepRow& row) {
  if (row.algorithm.empty()) return row.path;
  std::string text = row.protocol.empty() ? row.algorithm : row.algorithm + "/" + row.protocol;
  if (row.channels) text += fmt::format(", {} channel{}", *row.channels, *row.channels == 1 ? "" : "s");
  return text;
}

/// Below a MB/s nothing is said that the time does not say.
std::string bandwidth_cell(const std::optional<double>& gBps) {
  return gBps && *gBps > 0 && *gBps < 1e-3 ? "< 0.001" : cell(gBps);
}

/// "float, sum, root 2".
std::string type_of(const NcclGroup& group) {
  std::string text = group.dtype;
  if (!group.redop.empty() && group.redop != "none") text += ", " + group.redop;
  if (group.root >= 0) text += fmt::format(", root {}", group.root);
  return text.empty() ? "type unknown" : text;
}

std::string facts_of(const NcclGroup& group) {
  std::string facts = fmt::format("{} ranks on {}, {}; {}.", group.ranks,
                                  group.hosts == 0   ? "an unknown number of machines"
                                  : group.hosts == 1 ? "one machine"
                                                     : fmt::format("{} machines", group.hosts),
                                  group.backend == "nccl"   ? "NCCL"
                                  : group.backend == "gloo" ? "Gloo over CPU memory"
                                                            : "backend unknown",
                                  type_of(group));
  const std::string& registration = group.rows.front().registration;
  if (registration == "symmetric") facts += " Buffers in symmetric windows.";
  if (registration == "local") facts += " Buffers registered with the communicator.";
  if (group.limit)
    facts += fmt::format(" Physical limit of busbw: {:.1f} GB/s ({}).", group.limit->busbw_gBps,
                         group.limit->resource);
  if (group.wire_gbps)
    facts += fmt::format(" At the largest size each machine sends {:.1f} Gbit/s.", *group.wire_gbps);
  if (group.wire_gbps && group.line_gbps)
    facts += fmt::format(" That is {:.1f} % of its line rate.", *group.wire_gbps / *group.line_gbps * 100);
  if (group.overhead_us)
    facts += fmt::format(" Of each time {:.2f} µs are the harness: a call that does nothing takes as long.",
                         *group.overhead_us);
  if (group.ranks == 1) facts += " One rank transfers nothing: there is a time, but no bandwidth.";
  return facts;
}

bool has_iterations(const std::vector<SweepRow>& rows) {
  return std::any_of(rows.begin(), rows.end(),
                     [](const SweepRow& row) { return row.out_of_place.p50_us.has_value(); });
}

/// One row per size. Columns of what no row has are left out: records of older versions lack them.
Table sizes_table(const std::vector<SweepRow>& rows) {
  const bool single = has_iterations(rows);
  const bool path =
      std::any_of(rows.begin(), rows.end(), [](const SweepRow& row) { return !path_cell(row).empty(); });
  Table table{{{"Size", true},
               {"Time (µs)", true},
               {"algbw (GB/s)", true},
               {"busbw (GB/s)", true},
               {"Wrong", true},
               {"In place: time (µs)", true},
               {"algbw (GB/s)", true},
               {"busbw (GB/s)", true},
               {"Wrong", true}},
              {}};
  const bool judged = std::any_of(rows.begin(), rows.end(),
                                  [](const SweepRow& row) { return row.mark != analysis::Mark::kNotJudged; });
  if (judged) table.columns.insert(table.columns.end(), {{"Of expected", true}, {"Verdict"}});
  if (single) {
    table.columns.insert(table.columns.end(),
                         {{"p50 (µs)", true}, {"p95 (µs)", true}, {"p99 (µs)", true}, {"CV (%)", true}});
  }
  if (path) table.columns.push_back({"How"});
  for (const SweepRow& row : rows) {
    std::vector<std::string> cells = {format_bytes(row.size_bytes)};
    for (const Bandwidth* bandwidth : {&row.out_of_place, &row.in_place}) {
      cells.insert(cells.end(), {cell(bandwidth->time_us), bandwidth_cell(bandwidth->algbw_gBps),
                                 bandwidth_cell(bandwidth->busbw_gBps), wrong_cell(*bandwidth)});
    }
    if (judged) {
      cells.push_back(
          row.size_bytes > 0 && row.of_expected() ? fmt::format("{:.0f} %", *row.of_expected() * 100) : "–");
      cells.push_back(to_string(row.mark));
    }
    if (row.implausible) cells[3] += " IMPLAUSIBLE";
    if (single) {
      const Bandwidth& b = row.out_of_place;
      cells.insert(cells.end(),
                   {cell(b.p50_us), cell(b.p95_us), cell(b.p99_us), cell(b.cv_pct, record::Hint::kPercent)});
    }
    if (path) cells.push_back(path_cell(row).empty() ? "–" : path_cell(row));
    table.rows.push_back(std::move(cells));
  }
  return table;
}

/// What nobody may miss: the first wrong element of each size.
void add_wrong(const NcclGroup& group, const std::vector<SweepRow>& rows, Document& document) {
  for (const SweepRow& row : rows) {
    if (!row.first_wrong) continue;
    document.add(Notice{fmt::format("Wrong data, {}, {}: {}.", group.label(), format_bytes(row.size_bytes),
                                    analysis::to_text(*row.first_wrong))});
  }
}

/// What -a made of the times of the ranks, unless it is the usual: the largest.
std::string average_text(const NcclGroup& group) {
  static constexpr std::array<const char*, 3> kTexts = {" Times are those of rank 0 (`-a 0`).",
                                                        " Times are the mean over ranks (`-a 1`).",
                                                        " Times are those of the fastest rank (`-a 2`)."};
  const Json& sweep = analysis::member(group.tasks.front()->plan, "sweep");
  const auto average = static_cast<std::size_t>(analysis::integer(sweep, "average").value_or(3));
  return average < kTexts.size() ? kTexts[average] : "";
}

void add_group(const NcclGroup& group, Document& document) {
  document.add(Heading{3, group.label()});
  if (group.rows.empty()) {
    document.add(Paragraph{fmt::format("No result: {}.", group.tasks.front()->reason())});
    add_wrong(group, group.failed_rows, document);
    if (group.failed_rows.empty()) return;
    document.add(Paragraph{"What was measured until then, which counts in no figure:"});
    document.add(sizes_table(group.failed_rows));
    return;
  }
  std::string facts = facts_of(group) + average_text(group);
  if (has_iterations(group.rows)) {
    facts += " p50, p95, p99 and CV are of single iterations, out of place, each at its slowest rank.";
  }
  document.add(Paragraph{facts});
  add_wrong(group, group.rows, document);
  document.add(sizes_table(group.rows));
}

std::string ranks_text(const std::vector<int>& ranks) {
  constexpr std::size_t kShown = 8;
  std::string text;
  for (std::size_t i = 0; i < std::min(kShown, ranks.size()); ++i)
    text += fmt::format("{}{}", i == 0 ? "" : ", ", ranks[i]);
  return ranks.size() > kShown ? fmt::format("{}, ... ({} ranks)", text, ranks.size()) : text;
}

/// The groups of a split against each other at their largest size: one row each, never a mean.
void add_split(const std::vector<const NcclGroup*>& groups, Document& document) {
  const NcclGroup& first = *groups.front();
  document.add(Heading{3, fmt::format("{} in {} groups ({}) on {}", first.collective, first.groups,
                                      first.split, analysis::on_nodes(first.nodes))});
  for (const NcclGroup* group : groups) add_wrong(*group, group->rows, document);
  Table table{{{"Group", true},
               {"Ranks"},
               {"Size", true},
               {"Time (µs)", true},
               {"busbw (GB/s)", true},
               {"Of the median group (%)", true},
               {"p99 (µs)", true},
               {"CV (%)", true},
               {"Slowest rank", true},
               {"Wrong", true},
               {"Verdict"}},
              {}};
  for (const NcclGroup* group : groups) {
    const SweepRow& row = group->rows.back();
    const Bandwidth& b = row.out_of_place;
    table.rows.push_back(
        {std::to_string(group->group), ranks_text(group->group_ranks), format_bytes(row.size_bytes),
         cell(b.time_us), bandwidth_cell(b.busbw_gBps), cell(group->of_median_group, record::Hint::kRatio),
         cell(b.p99_us), cell(b.cv_pct, record::Hint::kPercent),
         b.slowest_rank ? std::to_string(*b.slowest_rank) : "–", wrong_cell(b), to_string(group->mark)});
  }
  document.add(Paragraph{
      "All groups ran at the same time; out of place, largest size. Every size of every group stands in "
      "`nccl_metrics.csv` and `nccl_allreduce.log`."});
  document.add(std::move(table));
}

}  // namespace

void add_nccl(const analysis::Analysis& analysis, Document& document) {
  std::string definitions =
      "Definitions of nccl-tests: time is that of the slowest rank where nothing else is said, algbw = size "
      "/ "
      "time, busbw = algbw x the share of the data that each rank must send. GB = 10^9 bytes. The same in "
      "nccl-tests' text: `nccl_allreduce.log`.";
  if (std::any_of(analysis.nccl.begin(), analysis.nccl.end(),
                  [](const NcclGroup& group) { return group.mark != analysis::Mark::kNotJudged; })) {
    definitions +=
        " Sizes from 256 MiB on are judged against the expected bandwidth, smaller ones against the sweep's "
        "own fit: \"Of expected\" is no verdict on latency.";
  }
  document.add(Paragraph{definitions});
  std::vector<const NcclGroup*> shown;
  for (const NcclGroup& group : analysis.nccl) {
    if (std::find(shown.begin(), shown.end(), &group) != shown.end()) continue;
    std::vector<const NcclGroup*> groups;
    for (const NcclGroup& other : analysis.nccl) {
      if (analysis::of_one_split(group, other)) groups.push_back(&other);
    }
    if (groups.empty()) {
      add_group(group, document);
    } else {
      add_split(groups, document);
      shown.insert(shown.end(), groups.begin(), groups.end());
    }
  }
  Figure figure{"nccl_busbw", busbw_chart(analysis)};
  if (!is_empty(figure.chart)) document.add(std::move(figure));
}

}  // namespace sxb::report
