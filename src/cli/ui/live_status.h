// What a run is at that works just now, from its journal alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "analysis/read/dataset.h"

namespace sxb::cli {

struct LiveStatus {
  std::string task;             ///< id of the one that runs
  std::int64_t elapsed_ns = 0;  ///< since it started
  std::string latest;           ///< "step 12/50  loss 3.2101 ...", "starting"
  std::string run;              ///< "3 of 5 done, 1 running, 0 failed, ETA 06:10"
};

/// `now_wall_ns`: the wall clock, by which the records of several machines are comparable. None between two
/// tasks.
std::optional<LiveStatus> live_status(const analysis::Dataset& run, std::int64_t now_wall_ns);

}  // namespace sxb::cli
