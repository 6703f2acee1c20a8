// A sweep of collectives.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "record/record.h"

namespace sxb::record {

/// Statistics over the iterations of a run of its own; an iteration's time = maximum over ranks.
struct Iterations {
  std::optional<std::int64_t> count;
  std::optional<double> min_us;
  std::optional<double> p50_us;
  std::optional<double> p95_us;
  std::optional<double> p99_us;
  std::optional<double> max_us;
  std::optional<double> mean_us;
  std::optional<double> cv_pct;
};

/// One size in place or out of place.
struct Placement {
  std::optional<double> time_us;
  std::optional<double> algbw_gBps;
  std::optional<double> busbw_gBps;
  std::optional<std::int64_t> wrong;
  std::optional<std::int64_t> wrong_timed;
  std::optional<Iterations> per_iteration;
  std::optional<int> slowest_rank;
  std::optional<double> rank_spread_pct;
  std::vector<double> times_us;
  std::vector<std::vector<double>> rank_times_us;
};

/// The first wrong element that was found.
struct FirstWrong {
  std::optional<int> rank;
  std::optional<std::int64_t> offset;
  std::string expected;
  std::string found;
  std::string placement;
  std::string when;
};

/// Rank 0: one size of a sweep.
struct Collective {
  static constexpr const char* kKind = kind::kCollective;
  std::string collective;
  std::optional<std::int64_t> size_bytes;
  std::optional<std::int64_t> count;
  std::string dtype;
  std::string redop;
  std::optional<int> root;
  std::optional<int> ranks;
  std::optional<int> group;
  std::optional<int> groups;
  std::vector<int> group_ranks;
  std::optional<int> iterations;
  std::optional<int> agg_iterations;
  std::optional<int> graph_launches;
  std::string registration;
  std::optional<int> cta_policy;
  std::string path;
  std::string algorithm;
  std::string protocol;
  std::optional<int> channels;
  std::string timestamp;
  std::optional<Placement> out_of_place;
  std::optional<Placement> in_place;
  std::optional<FirstWrong> first_wrong;
};

/// Rank 0: what the harness adds to a sweep's times.
struct Overhead {
  static constexpr const char* kKind = kind::kOverhead;
  std::optional<double> null_call_us;
  std::optional<int> iterations;
};

}  // namespace sxb::record
