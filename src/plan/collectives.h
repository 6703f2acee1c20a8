// THE table of collectives: what a plan, a sweep and a figure need to know of each. The engine has one
// implementation for each row (src/engine/bench/collectives); a test holds both lists together.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace sxb::plan {

struct CollectiveKind {
  const char* name;    ///< as nccl-tests spells it: its program without "_perf"
  bool reduces;        ///< has an operator
  bool rooted;         ///< has a root
  bool powers_of_two;  ///< runs on 2, 4, 8, ... ranks alone
  /// Bus bandwidth over algorithm bandwidth (size / time): what each rank's link carries of the size.
  double (*bus_factor)(double ranks);
};

/// In the order in which "all" takes them.
const std::vector<CollectiveKind>& collective_kinds();
/// nullptr if there is none of that name.
const CollectiveKind* find_collective_kind(std::string_view name);

/// Bus bandwidth over algorithm bandwidth, by nccl-tests' doc/PERFORMANCE.md: 2 (n - 1) / n for all_reduce,
/// (n - 1) / n where a rank's own part stays where it is, 1 where all of the size crosses a link. Nothing for
/// an unknown name.
std::optional<double> bus_bandwidth_factor(std::string_view collective, int ranks);

}  // namespace sxb::plan
