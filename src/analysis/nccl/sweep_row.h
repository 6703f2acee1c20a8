// One size of a collective sweep: times and bandwidths of both placements, what ran, and what is wrong.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "analysis/guard/verdict_mark.h"
#include "record/kinds/collective.h"

namespace sxb::analysis {

/// Of one placement.
struct Bandwidth {
  std::optional<double> time_us, algbw_gBps, busbw_gBps;
  std::optional<double> wrong;  ///< elements, in checks and after timed iterations; absent: not checked
  std::optional<double> p50_us, p95_us, p99_us, cv_pct;  ///< of single iterations, at the slowest rank
  std::optional<double> rank_spread_pct;                 ///< (max - min) / max of the ranks' means
  std::optional<int> slowest_rank;                       ///< of the world
  std::optional<double> repeat_spread;                   ///< (max - min) / median time; from two repeats on
};

/// "rank 3, element 17 in place: expected 1, found 2"; the rank is one of the world.
std::string to_text(const record::FirstWrong& wrong);

struct SweepRow {
  std::int64_t size_bytes = 0, count = 0;
  std::string dtype, redop;
  Bandwidth out_of_place, in_place;  ///< medians over the repeats; wrong is their sum
  bool implausible = false;
  std::string path;                 ///< what the device ran; "" = not recorded
  std::string algorithm, protocol;  ///< as NCCL tells them; "" = it does not
  std::optional<int> channels;
  std::string registration;
  std::optional<record::FirstWrong> first_wrong;
  std::optional<double> expected_us;  ///< of the topology's model
  Mark mark = Mark::kNotJudged;       ///< of the out-of-place time
  std::string why;                    ///< of the mark; "" for PASS
  /// Measured busbw as a share of the expected one.
  std::optional<double> of_expected() const;
};

}  // namespace sxb::analysis
