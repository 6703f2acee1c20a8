// The figures of one size, from what every rank has measured.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/bench/sweep/runner.h"
#include "record/kinds/collective.h"

namespace sxb::engine::bench {

inline constexpr int kPlacements = 2;
/// Its part of the record, and its name there.
inline constexpr std::array<std::optional<record::Placement> record::Collective::*, kPlacements>
    kPlacementOf = {&record::Collective::out_of_place, &record::Collective::in_place};
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
/// value of which p percent are not above; p50 the upper median).
record::Iterations iteration_statistics(const std::vector<std::vector<double>>& iterations);

/// Of the record's out_of_place or in_place. `members`: world ranks of the group. `every_time`:
/// the iterations themselves too, also those that are left out.
record::Placement placement_record(const Case& c, const PlacementFigures& figures,
                                   const std::vector<int>& members, int average, bool every_time);

/// The first wrong element, as people read it: that of the lowest rank; those of the timed iterations before
/// those of the check.
std::optional<record::FirstWrong> first_wrong(const Case& c, const PlacementFigures& figures,
                                              const std::vector<int>& members);
std::string to_text(const record::FirstWrong& wrong);

}  // namespace sxb::engine::bench
