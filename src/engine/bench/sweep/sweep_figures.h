// The figures of one size, from what every rank has measured.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "engine/bench/sweep/runner.h"

namespace sxb::engine {

inline constexpr int kPlacements = 2;
inline constexpr std::array<const char*, kPlacements> kPlacementNames = {"out_of_place", "in_place"};

/// What a rank has measured in one placement; plain data, to be exchanged as it is.
struct RankFigures {
  double time_us = 0;
  bool checked = false;
  Fault timed;  ///< left by the timed iterations
  Fault fresh;  ///< of the checks after them
};

/// One placement, of the ranks of one group.
struct PlacementFigures {
  std::vector<RankFigures> ranks;
  std::vector<std::vector<double>> iterations;  ///< per rank, us
  std::size_t skip = 0;                         ///< -K: the first ones, which no statistic counts
};

/// -a: the group's time from its ranks' times; 0 rank 0, 1 mean, 2 min, 3 max.
double combine_times(const std::vector<double>& times, int average);

/// Statistics of the iterations, each at the slowest rank's time, with the percentiles of nccl-tests (the
/// value of which p percent are not above; p50 the upper median): count, min_us, p50_us, p95_us, p99_us,
/// max_us, mean_us, cv_pct.
Json iteration_statistics(const std::vector<std::vector<double>>& iterations);

/// The object "out_of_place" or "in_place" of the record. `members`: world ranks of the group. `every_time`:
/// the iterations themselves too, also those that are left out.
Json placement_json(const Case& c, const PlacementFigures& figures, const std::vector<int>& members,
                    int average, bool every_time);

/// A wrong element, as people read it.
struct FirstWrong {
  int rank = 0;  ///< of the world
  std::int64_t offset = 0;
  std::string expected, found;
  const char* placement = "";
  const char* when = "";  ///< "timed" or "check"
};
/// That of the lowest rank; those of the timed iterations before those of the check.
std::optional<FirstWrong> first_wrong(const Case& c, const PlacementFigures& figures,
                                      const std::vector<int>& members);
Json to_json(const FirstWrong& wrong);
std::string to_text(const FirstWrong& wrong);

}  // namespace sxb::engine
