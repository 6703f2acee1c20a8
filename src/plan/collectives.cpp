#include "plan/collectives.h"

#include <algorithm>

namespace sxb::plan {
namespace {

double whole(double) { return 1; }
double all_but_own(double n) { return (n - 1) / n; }
/// Every byte crosses each rank's link twice, but for its own share.
double twice_all_but_own(double n) { return 2 * (n - 1) / n; }

}  // namespace

const std::vector<CollectiveKind>& collective_kinds() {
  // name, reduces, rooted, powers of two only, bus factor
  static const std::vector<CollectiveKind> kinds = {
      {"all_reduce", true, false, false, twice_all_but_own},
      {"all_gather", false, false, false, all_but_own},
      {"reduce_scatter", true, false, false, all_but_own},
      {"alltoall", false, false, false, all_but_own},
      {"alltoallv", false, false, false, all_but_own},
      {"broadcast", false, true, false, whole},
      {"reduce", true, true, false, whole},
      {"gather", false, true, false, all_but_own},
      {"scatter", false, true, false, all_but_own},
      {"sendrecv", false, false, false, whole},
      {"hypercube", false, false, true, whole},
  };
  return kinds;
}

const CollectiveKind* find_collective_kind(std::string_view name) {
  const std::vector<CollectiveKind>& kinds = collective_kinds();
  const auto found =
      std::find_if(kinds.begin(), kinds.end(), [&](const CollectiveKind& kind) { return name == kind.name; });
  return found == kinds.end() ? nullptr : &*found;
}

std::optional<double> bus_bandwidth_factor(std::string_view collective, int ranks) {
  const CollectiveKind* kind = find_collective_kind(collective);
  if (kind == nullptr) return std::nullopt;
  return kind->bus_factor(ranks);
}

}  // namespace sxb::plan
