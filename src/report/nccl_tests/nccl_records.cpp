#include "report/nccl_tests/nccl_records.h"

#include "base/text.h"

namespace sxb::report {

SweepTotals sum_up(const std::vector<record::Collective>& rows) {
  SweepTotals totals;
  double busbw = 0;
  int placements = 0;
  for (const record::Collective& row : rows) {
    for (const auto* placement : {&row.out_of_place, &row.in_place}) {
      if (!*placement) continue;
      if ((*placement)->busbw_gBps) {
        busbw += *(*placement)->busbw_gBps;
        ++placements;
      }
      if (const auto wrong = wrong_elements(**placement)) totals.wrong = totals.wrong.value_or(0) + *wrong;
    }
  }
  if (placements > 0) totals.average_busbw = busbw / placements;
  return totals;
}

std::optional<double> wrong_elements(const record::Placement& placement) {
  std::optional<double> sum;
  for (const auto& wrong : {placement.wrong, placement.wrong_timed}) {
    if (wrong) sum = sum.value_or(0) + static_cast<double>(*wrong);
  }
  return sum;
}

std::map<int, int> group_of_ranks(const RowsByGroup& rows_by_group) {
  std::map<int, int> groups;
  for (const auto& [group, rows] : rows_by_group) {
    for (const int rank : rows.front().group_ranks) groups[rank] = group;
  }
  return groups;
}

std::optional<int> nccl_version_code(const std::string& text) {
  const std::vector<std::string> parts = split(text, '.');
  if (parts.size() < 3) return std::nullopt;
  int code = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    if (parts[i].empty() || parts[i].size() > 2 ||
        parts[i].find_first_not_of("0123456789") != std::string::npos) {
      return std::nullopt;
    }
    code = code * 100 + std::stoi(parts[i]);
  }
  return code;
}

std::string measured_by(const record::Run& run) {
  return run.build_id.empty() ? "unknown" : split(run.build_id, ' ').front();
}

}  // namespace sxb::report
