// What the text and the JSON of a sweep both read from its records.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "analysis/analysis.h"
#include "record/record.h"

namespace sxb::report {

/// Over the placements of all rows. Both are absent if no row has one: not checked, or one rank.
struct SweepTotals {
  std::optional<double> wrong;          ///< elements
  std::optional<double> average_busbw;  ///< GB/s; nccl-tests prints it, though sizes do not compare
};
SweepTotals sum_up(const std::vector<record::Record>& rows);

/// Elements of one placement ("out_of_place") that were wrong in checks or after the timed iterations.
std::optional<double> wrong_elements(const Json& placement);

/// Group of each rank of the world; empty where the world is not split.
std::map<int, int> group_of_ranks(const std::map<int, std::vector<record::Record>>& rows_by_group);

/// "2.28.9" -> 22809, as NCCL codes its version; nullopt if the text has another form.
std::optional<int> nccl_version_code(const std::string& text);

/// "0.1.0+abc123": the sxbench that measured, not the one that reports.
std::string measured_by(const analysis::Dataset& dataset);

}  // namespace sxb::report
