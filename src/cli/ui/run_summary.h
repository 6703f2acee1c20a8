// One run in one line, for show and list.
#pragma once

#include <string>

#include "analysis/read/dataset.h"

namespace sxb::cli {

struct RunSummary {
  std::string state;  ///< running, complete, partial, failed, interrupted
  int ok = 0, failed = 0, missing = 0;
  int running = 0;   ///< of a run that works; `missing` are then those to do
  int hopeless = 0;  ///< of those that failed: for what was asked, which resuming does not change
  bool can_resume() const { return state != "running" && failed + missing > hopeless; }
  std::string text() const;  ///< "3 ok, 1 failed, 1 missing"; "3 ok, 0 failed, 1 running, 8 to do"
};

/// A journal without run_end is that of a run that works, if a process still holds it, or else of one
/// that was interrupted.
RunSummary summarize(const analysis::Dataset& run);

}  // namespace sxb::cli
