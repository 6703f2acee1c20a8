// What makes a sweep impossible: values, combinations, and ranks or memory that the cluster lacks.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "base/text.h"
#include "base/units.h"
#include "plan/limits.h"
#include "plan/validate.h"

namespace sxb::plan {
namespace {

/// Each size is a row of every report; nobody reads more.
constexpr std::int64_t kMaxSizes = 65'536;

bool is_power_of_two(int n) { return n > 0 && (n & (n - 1)) == 0; }

const char* plural(int n) { return n == 1 ? "" : "s"; }

void check_name(const char* flag, const char* what, const std::string& value, std::vector<std::string> known,
                bool all, Errors& errors) {
  if (all) known.emplace_back("all");
  if (std::find(known.begin(), known.end(), value) != known.end()) return;
  errors.push_back({fmt::format("\"{}\" is no {}", value, what), flag, suggest(value, known)});
}

void check_range(const char* flag, const char* what, int value, int min, int max, const char* help,
                 Errors& errors) {
  if (value >= min && value <= max) return;
  const std::string limit = value < min ? fmt::format("below {}", min) : fmt::format("above {}", max);
  errors.push_back({fmt::format("{}: {} is {}", what, value, limit), flag, help});
}

/// Bytes of the largest element that is measured; 0 if the name is wrong.
int largest_element(const CollectiveSweep& sweep) {
  return sweep.dtype == "all" ? 8 : dtype_bytes(sweep.dtype);
}

void check_whole_elements(const char* flag, std::int64_t bytes, const CollectiveSweep& sweep,
                          Errors& errors) {
  const int element = largest_element(sweep);
  if (element == 0 || bytes <= 0 || bytes % element == 0) return;
  const std::int64_t below = bytes / element * element;
  const std::string fitting = below > 0 ? fmt::format("{} {} or {}", flag, below, below + element)
                                        : fmt::format("{} {}", flag, element);
  errors.push_back({fmt::format("{} bytes are no whole number of {} elements of {} bytes", bytes,
                                sweep.dtype == "all" ? "double" : sweep.dtype, element),
                    flag, "use " + fitting});
}

void check_most_bytes(const char* flag, const char* what, std::int64_t bytes, Errors& errors) {
  if (bytes <= limits::kMaxSweepBytes) return;
  const std::string most = format_bytes(limits::kMaxSweepBytes);
  errors.push_back({fmt::format("{} ({}) is above {}", what, format_bytes(bytes), most), flag,
                    fmt::format("use at most {}", most)});
}

void check_sizes(const CollectiveSweep& sweep, Errors& errors) {
  if (sweep.min_bytes < 1) errors.push_back({"the smallest size is below one byte", "-b", "write e.g. -b 8"});
  if (sweep.max_bytes < sweep.min_bytes) {
    errors.push_back({fmt::format("the largest size ({}) is below the smallest ({})",
                                  format_bytes(sweep.max_bytes), format_bytes(sweep.min_bytes)),
                      "-e", "raise -e or lower -b"});
  }
  if (sweep.step_bytes < 0) errors.push_back({"the step is negative", "-i", "write e.g. -i 1M"});
  if (sweep.step_bytes == 0 && sweep.step_factor < 2) {
    errors.push_back({fmt::format("a factor of {} never reaches the largest size", sweep.step_factor), "-f",
                      "use -f 2, or -i for steps of a fixed size"});
  }
  check_most_bytes("-e", "the largest size", sweep.max_bytes, errors);
  check_most_bytes("-i", "the step", sweep.step_bytes, errors);
  if (sweep.step_factor > limits::kMaxSweepBytes)
    errors.push_back({fmt::format("a factor of {}", sweep.step_factor), "-f", "use -f 2"});
  check_whole_elements("-b", sweep.min_bytes, sweep, errors);
  check_whole_elements("-i", sweep.step_bytes, sweep, errors);
  const std::int64_t range = sweep.max_bytes - sweep.min_bytes;
  const bool step_is_wrong =
      std::any_of(errors.begin(), errors.end(), [](const Error& error) { return error.where == "-i"; });
  if (!step_is_wrong && sweep.step_bytes > 0 && range > 0 && range / sweep.step_bytes >= kMaxSizes) {
    errors.push_back({fmt::format("steps of {} from {} to {} are {} sizes, above {}",
                                  format_bytes(sweep.step_bytes), format_bytes(sweep.min_bytes),
                                  format_bytes(sweep.max_bytes), range / sweep.step_bytes + 1, kMaxSizes),
                      "-i", fmt::format("use -i {} or more, or -f 2", range / kMaxSizes + 1)});
  }
}

void check_iterations(const CollectiveSweep& sweep, Errors& errors) {
  if (sweep.iterations < 1) errors.push_back({"no timed iterations", "-n", "use -n 20"});
  if (sweep.warmup < 0) errors.push_back({"a negative number of warm-up iterations", "-w", "use -w 5"});
  if (sweep.check < 0) errors.push_back({"a negative number of checks", "-c", "use -c 1, or -c 0 for none"});
  if (sweep.agg_iterations < 1) errors.push_back({"an iteration without a call", "-m", "use -m 1"});
  if (sweep.timeout_s < 0)
    errors.push_back({"a negative time-out", "-T", "write seconds, or -T 0 for the usual one"});
  if (sweep.graph_launches < 0)
    errors.push_back({"a negative number of graph launches", "-G", "use -G 1, or -G 0 for no graph"});
  for (const auto& [flag, what, value] :
       {std::tuple("-n", "timed iterations", sweep.iterations),
        std::tuple("-w", "warm-up iterations", sweep.warmup), std::tuple("-c", "checks", sweep.check),
        std::tuple("-m", "calls of an iteration", sweep.agg_iterations),
        std::tuple("-G", "graph launches", sweep.graph_launches)}) {
    if (value <= limits::kMaxIterations) continue;
    errors.push_back({fmt::format("{} {} are above {}", value, what, limits::kMaxIterations), flag,
                      fmt::format("use {} {} or less", flag, limits::kMaxIterations)});
  }
  if (sweep.per_iteration_skip < 0 ||
      (sweep.iterations > 0 && sweep.per_iteration_skip >= sweep.iterations)) {
    errors.push_back(
        {fmt::format("-K {} leaves none of {} iterations", sweep.per_iteration_skip, sweep.iterations), "-K",
         fmt::format("use -K 0 to {}, or raise -n", std::max(0, sweep.iterations - 1))});
  }
}

void check_modes(const CollectiveSweep& sweep, Errors& errors) {
  check_range("-r", "the root", sweep.root, -1, limits::kMaxRanks, "name a rank, or all", errors);
  check_range("-z", "blocking", sweep.blocking, 0, 3,
              "0 = off, 1 = wait and barrier after each call, 2 = wait only, 3 = both after each iteration",
              errors);
  check_range("-R", "registration", sweep.registration, 0, 2,
              "0 = none, 1 = registered buffers, 2 = symmetric windows", errors);
  check_range("-x", "the CTA policy", sweep.cta_policy, -1, 2,
              "0 = default, 1 = efficiency, 2 = zero CTA; leave -x out to set none", errors);
  check_range("-a", "the average", sweep.average, 0, 3, "0 = rank 0, 1 = mean, 2 = smallest, 3 = largest",
              errors);
  check_range("-I", "per-iteration columns", sweep.per_iteration, 0, 1, "use -I 1, or leave it out", errors);
  check_range("-u", "the shift", sweep.unalign, 0, limits::kMaxIterations,
              "write a number of elements, e.g. -u 1", errors);
  if (sweep.spread < 0 || sweep.spread > 1) {
    errors.push_back({fmt::format("a spread of {}", sweep.spread), "--alltoallv-spread",
                      "use 0 (equal parts) to 1 (parts grow with the distance)"});
  }
  if (sweep.graph_launches > 0 && sweep.blocking > 0) {
    errors.push_back(
        {"the host cannot wait between calls that a CUDA graph replays", "-G with -z", "leave out -G or -z"});
  }
  if (sweep.graph_launches > 0 && sweep.per_iteration > 0) {
    errors.push_back({"single iterations cannot be timed inside a CUDA graph", "-G with -I",
                      "leave out -I: statistics of launched iterations are recorded in any case"});
  }
}

/// Host memory has no graphs, windows or thread blocks, and Gloo not every type.
void check_host_device(const CollectiveSweep& sweep, Errors& errors) {
  const auto refuse = [&](bool set, const char* flag, const char* what) {
    if (set) {
      errors.push_back({fmt::format("{} on GPUs only, the ranks run on CPUs", what), flag,
                        fmt::format("leave out {}, or run on nodes with GPUs (--device cuda)", flag)});
    }
  };
  refuse(sweep.registration != 0, "-R", "buffers can be registered");
  refuse(sweep.cta_policy >= 0, "-x", "there is a CTA policy");
  refuse(sweep.graph_launches > 0, "-G", "there are CUDA graphs");
  const bool computes = sweep.dtype != "bfloat16" && !sweep.dtype.starts_with("f8");
  if (has_redop(sweep.collective) && !computes) {
    errors.push_back({fmt::format("Gloo, which connects CPU ranks, has no arithmetic for {}", sweep.dtype),
                      "-d", "use -d float or half, or run on nodes with GPUs (--device cuda)"});
  }
}

/// Ranks per color, in the order of colors; empty if the split is not understood (told elsewhere).
std::vector<int> group_sizes(const CollectiveSweep& sweep, const config::Cluster& cluster, int nodes,
                             const DeviceFacts& facts) {
  std::map<int, int> sizes;
  int rank = 0;
  for (int node = 0; node < nodes; ++node) {
    const int ranks = ranks_on(cluster, cluster.nodes.at(static_cast<std::size_t>(node)), facts);
    for (int local = 0; local < ranks; ++local) {
      const Result<int> color = split_color(sweep.split, {rank++, local, node});
      if (!color.ok()) return {};
      ++sizes[*color];
    }
  }
  std::vector<int> result;
  for (const auto& [color, size] : sizes) result.push_back(size);
  return result;
}

void check_groups(const CollectiveSweep& sweep, const std::vector<int>& sizes, const std::string& place,
                  Errors& errors) {
  const auto [least, most] = std::minmax_element(sizes.begin(), sizes.end());
  if (*least != *most) {
    errors.push_back(
        {fmt::format("split \"{}\" makes groups of {} and of {} ranks {}", sweep.split, *least, *most, place),
         "--split", "groups of one size compare: choose node counts and a split that divide the ranks"});
  } else if (*least < 2) {
    const auto count = static_cast<int>(sizes.size());
    errors.push_back({fmt::format("split \"{}\" makes {} group{} of one rank {}: nothing would be sent",
                                  sweep.split, count, plural(count), place),
                      "--split",
                      sweep.split == "rails" ? "take two or more nodes (--nodes 2)"
                                             : "choose a split that leaves two or more ranks together"});
  }
}

void check_ranks(const CollectiveSweep& sweep, int ranks, const std::string& place, Errors& errors) {
  const std::string what = sweep.split.empty() ? "ranks" : "ranks of a group";
  if (has_root(sweep.collective) && sweep.root >= ranks) {
    errors.push_back({fmt::format("there is no rank {} {}", sweep.root, place), "-r",
                      fmt::format("the {} are 0 to {}; -r all takes each in turn", what, ranks - 1)});
  }
  if (!sweep.matrix.empty() && sweep.matrix.size() < static_cast<std::size_t>(ranks)) {
    errors.push_back({fmt::format("the traffic matrix has {} row{}, there are {} {} {}", sweep.matrix.size(),
                                  sweep.matrix.size() == 1 ? "" : "s", ranks, what, place),
                      "--alltoallv-matrix", "give a row and a column for each rank, or take fewer --nodes"});
  }
  if (sweep.collective == "hypercube" && !is_power_of_two(ranks)) {
    std::vector<std::string> others = collective_names();
    std::erase(others, "hypercube");
    errors.push_back({fmt::format("hypercube needs a power of two of ranks, there are {} {}", ranks, place),
                      "--collectives", "sweep the others: --collectives " + join(others, ",")});
  }
}

}  // namespace

Status validate_sweep(const CollectiveSweep& sweep) {
  Errors errors;
  check_name("--collectives", "collective", sweep.collective, collective_names(), false, errors);
  check_name("-d", "data type of NCCL", sweep.dtype, dtype_names(), true, errors);
  check_name("-o", "operator of NCCL", sweep.redop, redop_names(), true, errors);
  check_sizes(sweep, errors);
  check_iterations(sweep, errors);
  check_modes(sweep, errors);
  if (const auto color = split_color(sweep.split, {}); !color.ok()) errors.push_back(color.error());
  if (!errors.empty()) return errors;
  return ok_status();
}

Status validate_sweep_on(const CollectiveSweep& sweep, const config::Cluster& cluster, int nodes,
                         const DeviceFacts& facts) {
  Errors errors;
  if (!facts.cuda) check_host_device(sweep, errors);
  const std::vector<int> sizes = group_sizes(sweep, cluster, nodes, facts);
  if (!sizes.empty()) {
    const std::string place = fmt::format("on {} node{}", nodes, plural(nodes));
    const std::size_t before = errors.size();
    if (!sweep.split.empty()) check_groups(sweep, sizes, place, errors);
    if (errors.size() == before) {
      check_ranks(sweep, sizes.front(), place, errors);
    }
  }
  // Larger sizes are cut with a warning, as nccl-tests does; if not even the smallest fits, nothing can run.
  const std::int64_t memory = memory_per_rank(cluster, nodes, facts);
  const std::int64_t need = 2 * (sweep.min_bytes + std::int64_t{8} * sweep.unalign);
  if (memory > 0 && need > memory) {
    errors.push_back(
        {fmt::format("two buffers of {} do not fit: {} has {}", format_bytes(sweep.min_bytes),
                     facts.cuda ? "a GPU" : "a rank's share of the machine", format_bytes(memory)),
         "-b", fmt::format("use a smallest size below {}", format_bytes(memory / 2))});
  }
  if (!errors.empty()) return errors;
  return ok_status();
}

}  // namespace sxb::plan
