// What nccl-tests' layout has no place for stands in comment lines.
#include "report/nccl_tests/nccl_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "analysis/nccl/sweep_row.h"
#include "analysis/read/json_read.h"
#include "base/text.h"
#include "record/typed.h"

namespace sxb::report {
namespace {

using analysis::integer;
using analysis::text;

/// A number in `width` characters: two decimals if they fit, else one, none, at last an exponent.
std::string fitted(std::optional<double> figure, int width) {
  if (!figure) return fmt::format("{:>{}}", "N/A", width);
  for (const int decimals : {2, 1, 0}) {
    std::string digits = fmt::format("{:{}.{}f}", *figure, width, decimals);
    if (digits.size() <= static_cast<std::size_t>(width)) return digits;
  }
  return fmt::format("{:{}.{}e}", *figure, width, width >= 7 ? 1 : 0);
}

/// A line of the text, whatever names that others wrote stand in it: a newline there would be a row of its
/// own.
std::string as_line(std::string text) { return printable_line(std::move(text)) + "\n"; }

/// What stands behind the communicator, in place of nccl-tests' own version.
std::string library(const record::Device& device) {
  if (device.backend != "nccl") return fmt::format("backend={}", device.backend);
  const std::optional<int> code = nccl_version_code(device.nccl);
  return "nccl-library=" + (code ? std::to_string(*code) : device.nccl);
}

std::string device_line(int rank, int group, const std::string& node, const record::Device& device) {
  return as_line(fmt::format("#  Rank {:2} Group {:2} Pid {:6} on {:>10} device {:2} [{}] {}", rank, group,
                             device.pid.value_or(0), node, device.gpu.value_or(-1),
                             device.pci.empty() ? "cpu" : device.pci, device.name));
}

std::string blocking_line(std::int64_t mode) {
  switch (mode) {
    case 1:
      return "# Blocking Enabled: wait and barrier after each inner iteration (-m) \n";
    case 2:
      return "# Blocking Enabled: wait after each inner iteration (-m), no barrier \n";
    case 3:
      return "# Blocking Enabled: wait and barrier after each outer iteration (-n); time excludes barrier \n";
    default:
      return "";
  }
}

/// "RING/LL, 4 channels" where NCCL tells it, else the kernels; empty if neither is known.
std::string path_of(const record::Collective& row) {
  if (row.algorithm.empty()) return row.path;
  return fmt::format("{}/{}, {} channels", row.algorithm, row.protocol, row.channels.value_or(0));
}

/// One line for each run of sizes that NCCL moved in the same way.
std::string path_lines(const std::vector<record::Collective>& rows) {
  std::string out;
  for (std::size_t begin = 0; begin < rows.size();) {
    const std::string path = path_of(rows[begin]);
    std::size_t end = begin;
    while (end < rows.size() && path_of(rows[end]) == path) ++end;
    if (!path.empty()) {
      out += as_line(fmt::format("# sxbench: {} to {} B: {}", rows[begin].size_bytes.value_or(0),
                                 rows[end - 1].size_bytes.value_or(0), path));
    }
    begin = end;
  }
  return out;
}

std::string wrong_lines(const std::vector<record::Collective>& rows) {
  std::string out;
  for (const record::Collective& row : rows) {
    if (!row.first_wrong) continue;
    out += as_line(fmt::format("# sxbench: WRONG at {} B: {}", row.size_bytes.value_or(0),
                               analysis::to_text(*row.first_wrong)));
  }
  return out;
}

std::string footer(const std::vector<record::Collective>& rows) {
  const SweepTotals totals = sum_up(rows);
  // nccl-tests writes "0 OK" also when -c 0 checked nothing; that would be a claim without evidence.
  const std::string verdict =
      !totals.wrong ? "N/A" : fmt::format("{:g} {}", *totals.wrong, *totals.wrong == 0 ? "OK" : "FAILED");
  return path_lines(rows) + wrong_lines(rows) +
         fmt::format("# Out of bounds values : {}\n# Avg bus bandwidth    : {} \n", verdict,
                     totals.average_busbw ? fmt::format("{:g}", *totals.average_busbw) : "N/A");
}

}  // namespace

NcclText::NcclText(Json sweep, std::string version)
    : sweep_(std::move(sweep)),
      version_(std::move(version)),
      per_iteration_(integer(sweep_, "per_iteration").value_or(0) != 0),
      timestamps_(analysis::flag(sweep_, "timestamps")) {}

void NcclText::add(const record::Record& record) {
  if (record.kind == record::kind::kDevice) {
    const auto place = std::find_if(devices_.begin(), devices_.end(),
                                    [&](const auto& other) { return other.rank > record.rank; });
    devices_.insert(place, {record.rank, record.node, record::read<record::Device>(record)});
  }
  if (record.kind == record::kind::kOverhead)
    overhead_us_ = record::read<record::Overhead>(record).null_call_us;
}

std::string NcclText::add_row(const record::Record& record) {
  const auto collective = record::read<record::Collective>(record);
  const int group = collective.group.value_or(0);
  rows_[group].push_back(collective);
  if (started_) return group == rows_.begin()->first ? row(collective) : "";
  if (rows_.size() < static_cast<std::size_t>(collective.groups.value_or(1))) return "";
  started_ = true;
  std::string out = header() + table_head(rows_.begin()->first);
  for (const record::Collective& one : rows_.begin()->second) out += row(one);
  return out;
}

std::string NcclText::finish() {
  if (rows_.empty()) return "";
  std::string out;
  for (const auto& [group, rows] : rows_) {
    const bool first = group == rows_.begin()->first;
    if (!first || !started_) {
      out += (first ? header() : "#\n") + table_head(group);
      for (const record::Collective& one : rows) out += row(one);
    }
    if (first && overhead_us_) {
      out += fmt::format("# sxbench: a call that does nothing takes {:.2f} us here; it is in every time\n",
                         *overhead_us_);
    }
    out += footer(rows);
  }
  rows_.clear();
  return out + "#\n" +
         as_line(fmt::format("# Collective test concluded: {}_perf", text(sweep_, "collective"))) + "#\n\n";
}

std::string NcclText::header() const {
  const std::int64_t step_bytes = integer(sweep_, "step_bytes").value_or(0);
  const bool additive = step_bytes > 0;
  std::string out =
      as_line(fmt::format("# nccl-tests version 2.19.6 (its layout; measured by sxbench {}){}", version_,
                          devices_.empty() ? "" : " " + library(devices_.front().facts)));
  out += as_line(fmt::format("# Collective test starting: {}_perf", text(sweep_, "collective")));
  out += fmt::format(
      "# nThread 1 nGpus 1 minBytes {} maxBytes {} step: {}({}) warmup iters: {} iters: {} agg iters: {} "
      "validation: {} graph: {} unalign: {}\n",
      integer(sweep_, "min_bytes").value_or(0), integer(sweep_, "max_bytes").value_or(0),
      additive ? step_bytes : integer(sweep_, "step_factor").value_or(0), additive ? "bytes" : "factor",
      integer(sweep_, "warmup").value_or(0), integer(sweep_, "iterations").value_or(0),
      integer(sweep_, "agg_iterations").value_or(1), integer(sweep_, "check").value_or(0),
      integer(sweep_, "graph_launches").value_or(0), integer(sweep_, "unalign").value_or(0));
  out += blocking_line(integer(sweep_, "blocking").value_or(0));
  if (per_iteration_) {
    const std::int64_t skip = integer(sweep_, "per_iteration_skip").value_or(0);
    out += fmt::format("# Per-Iteration Report: CUDA event timing; i_* uses max over process rows{} \n",
                       skip > 0 ? fmt::format("; summary skips first {} iterations", skip) : "");
  }
  out += "#\n# Using devices\n";
  const std::map<int, int> groups = group_of_ranks(rows_);
  for (const DeviceOfRank& device : devices_) {
    const auto it = groups.find(device.rank);
    out += device_line(device.rank, it == groups.end() ? 0 : it->second, device.node, device.facts);
  }
  return out + "#\n";
}

std::string NcclText::table_head(int group) const {
  const std::vector<int>& ranks = rows_.at(group).front().group_ranks;
  if (ranks.empty()) return columns();
  return fmt::format("# Group {}: ranks {}\n#\n", group, fmt::join(ranks, ",")) + columns();
}

std::string NcclText::columns() const {
  const auto line = [&](const char* size, const char* count, const char* type, const char* op,
                        const char* root, const char* us, const char* gbps, const char* busbw,
                        const char* wrong, const std::vector<const char*>& iterations, const char* stamp) {
    std::string out = fmt::format("# {:>10}  {:>12}  {:>8}  {:>6}  {:>6}", size, count, type, op, root);
    for (int i = 0; i < 2; ++i) {
      out += fmt::format("  {:>7}  {:>6}  {:>6}  {:>6}", us, gbps, busbw, wrong);
      if (!per_iteration_) continue;
      for (const char* column : iterations) out += fmt::format("  {:>7}", column);
    }
    return out + fmt::format(" {:>{}}\n", timestamps_ ? stamp : "", timestamps_ ? 19 : 0);
  };
  std::string out = fmt::format("# {:>10}  {:>12}  {:>8}  {:>6}  {:>6}", "", "", "", "", "");
  out += per_iteration_ ? "              out-of-place (+ per-iteration)                                "
                          "in-place (+ per-iteration)\n"
                        : "           out-of-place                       in-place          \n";
  return out +
         line("size", "count", "type", "redop", "root", "time", "algbw", "busbw", "#wrong",
              {"i_min", "i_max", "i_p99", "i_cv%"}, "timestamp") +
         line("(B)", "(elements)", "", "", "", "(us)", "(GB/s)", "(GB/s)", "",
              {"(us)", "(us)", "(us)", "(%)"}, "%Y-%m-%d %H:%M:%S");
}

std::string NcclText::placement(const record::Placement& placement) const {
  const std::optional<double> wrong = wrong_elements(placement);
  // nccl-tests gives N/A one column less than a number.
  std::string out =
      fmt::format("  {}  {}  {}  {}", fitted(placement.time_us, 7), fitted(placement.algbw_gBps, 6),
                  fitted(placement.busbw_gBps, 6), wrong ? fmt::format("{:6g}", *wrong) : "  N/A");
  if (!per_iteration_) return out;
  const record::Iterations iterations = placement.per_iteration.value_or(record::Iterations{});
  for (const auto& value : {iterations.min_us, iterations.max_us, iterations.p99_us, iterations.cv_pct})
    out += "  " + fitted(value, 7);
  return out;
}

std::string NcclText::row(const record::Collective& row) const {
  std::string out = fmt::format("{:12}  {:12}  {:>8}  {:>6}  {:>6}", row.size_bytes.value_or(0),
                                row.count.value_or(0), row.dtype, row.redop, row.root.value_or(-1));
  for (const auto* one : {&row.out_of_place, &row.in_place})
    out += placement(one->value_or(record::Placement{}));
  if (timestamps_) out += fmt::format("{:>21}", row.timestamp);
  return as_line(std::move(out));
}

}  // namespace sxb::report
