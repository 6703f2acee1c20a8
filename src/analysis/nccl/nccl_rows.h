// From the "collective" records of the tasks to groups of rows that compare: repeats joined per size.
#pragma once

#include <vector>

#include "analysis/nccl/nccl_groups.h"

namespace sxb::analysis {

/// One group per collective, node count, split group, type, operator and root, in the order of their
/// tasks. A task without any row counts in all groups that its repeats have made.
std::vector<NcclGroup> collect_groups(const Dataset& dataset);

/// The rows of this group in the tasks that have this outcome, in the order of the first; figures are
/// medians, wrong elements are added up.
std::vector<SweepRow> join_rows(const NcclGroup& group, bool ok);

/// Whether both are groups with a result of the same split: of one collective on the same nodes.
bool of_one_split(const NcclGroup& a, const NcclGroup& b);
/// Sets of_median_group, out of place.
void compare_groups(std::vector<NcclGroup>& groups);

/// Machines behind the ranks of the group; 0 = unknown.
int count_hosts(const TaskData& task, const NcclGroup& group);

}  // namespace sxb::analysis
