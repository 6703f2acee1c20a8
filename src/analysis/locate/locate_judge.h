// The judgement of one search; part of read_searches().
#pragma once

#include "analysis/locate/locate.h"

namespace sxb::analysis {

/// Fills in `spread` and `faults` from the results.
void judge_search(LocateSearch& search);

}  // namespace sxb::analysis
