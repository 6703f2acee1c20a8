// What the text and the JSON of a sweep both read from its records.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "record/kinds/collective.h"
#include "record/kinds/run.h"

namespace sxb::report {

/// The rows of a sweep by group of ranks; one group, 0, where the world is not split.
using RowsByGroup = std::map<int, std::vector<record::Collective>>;

/// Over the placements of all rows. Both are absent if no row has one: not checked, or one rank.
struct SweepTotals {
  std::optional<double> wrong;          ///< elements
  std::optional<double> average_busbw;  ///< GB/s; nccl-tests prints it, though sizes do not compare
};
SweepTotals sum_up(const std::vector<record::Collective>& rows);

/// Elements of one placement that were wrong in checks or after the timed iterations.
std::optional<double> wrong_elements(const record::Placement& placement);

/// Group of each rank of the world; empty where the world is not split.
std::map<int, int> group_of_ranks(const RowsByGroup& rows_by_group);

/// "2.28.9" -> 22809, as NCCL codes its version; nullopt if the text has another form.
std::optional<int> nccl_version_code(const std::string& text);

/// "0.1.0+abc123": the sxbench that measured, not the one that reports.
std::string measured_by(const record::Run& run);

}  // namespace sxb::report
