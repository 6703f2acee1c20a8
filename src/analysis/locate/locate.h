// What a search for slow parts has found: suspects of the pair matrix and the single nodes, whether the tests
// beside parts above suspicion bear them out, and whether the figures are steady enough to tell.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analysis/read/dataset.h"
#include "plan/locate/locate.h"

namespace sxb::analysis {

struct LocateFault {
  plan::Trial trial;
  std::string name;      ///< "node003", "GPU 5 of node003 (rank 29)", "link node001 - node004"
  std::string evidence;  ///< the figures, the partners and the tests

  /// FAIL, inconclusive, not repeated, not tested.
  const char* verdict() const;
};

/// One task of phase locate.
struct LocateSearch {
  const TaskData* task = nullptr;
  std::vector<std::string> nodes;          ///< names, in the order of the task
  std::vector<int> ranks;                  ///< of each node; empty if no probe was recorded
  std::vector<plan::ProbeResult> results;  ///< nodes by their place in `nodes`
  bool complete = false;                   ///< the search came to its end
  int rounds = 0;
  std::int64_t size_bytes = 0;
  std::optional<double> duration_s;
  plan::Spread spread;
  std::vector<LocateFault> faults;  ///< confirmed first

  int confirmed() const { return count(plan::Standing::kConfirmed); }
  int count(plan::Standing standing) const;
};

std::vector<LocateSearch> read_searches(const Dataset& dataset);

/// Why a search that came to its end and names nothing cannot say that nothing is slow, and what to do about
/// it; empty if it can. A suspect may be left undecided, or a part of half the normal speed could have
/// hidden.
std::string inconclusive(const LocateSearch& search);

/// What a slow part would have had to fall below to be named, and what the search cannot see at this size;
/// one sentence each.
std::vector<std::string> sensitivity(const LocateSearch& search);

/// GB/s of a pair, the slowest of its rails, median over its probes before the confirmation. Absent where it
/// was not probed; 0 where it did not answer.
std::optional<double> pair_gBps(const LocateSearch& search, int node, int peer);

}  // namespace sxb::analysis
