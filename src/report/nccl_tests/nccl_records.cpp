#include "report/nccl_tests/nccl_records.h"

#include "analysis/read/json_read.h"
#include "base/text.h"

namespace sxb::report {

using analysis::member;
using analysis::number;
using analysis::text;

SweepTotals sum_up(const std::vector<record::Record>& rows) {
  SweepTotals totals;
  double busbw = 0;
  int placements = 0;
  for (const record::Record& row : rows) {
    for (const char* key : {"out_of_place", "in_place"}) {
      const Json& values = member(row.data, key);
      if (const auto value = number(values, "busbw_gBps")) {
        busbw += *value;
        ++placements;
      }
      if (const auto value = wrong_elements(values)) totals.wrong = totals.wrong.value_or(0) + *value;
    }
  }
  if (placements > 0) totals.average_busbw = busbw / placements;
  return totals;
}

std::optional<double> wrong_elements(const Json& placement) {
  std::optional<double> sum;
  for (const char* key : {"wrong", "wrong_timed"}) {
    if (const auto value = number(placement, key)) sum = sum.value_or(0) + *value;
  }
  return sum;
}

std::map<int, int> group_of_ranks(const std::map<int, std::vector<record::Record>>& rows_by_group) {
  std::map<int, int> groups;
  for (const auto& [group, rows] : rows_by_group) {
    for (const Json& rank : member(rows.front().data, "group_ranks")) {
      if (rank.is_number_integer()) groups[rank.get<int>()] = group;
    }
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

std::string measured_by(const analysis::Dataset& dataset) {
  const std::string build = text(dataset.run.record.data, "build_id");
  return build.empty() ? "unknown" : split(build, ' ').front();
}

}  // namespace sxb::report
