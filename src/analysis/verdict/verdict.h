// What a report says of the figures: verdicts with a mark each, and findings, which explain.
#pragma once

#include <cstddef>
#include <string>

#include "analysis/guard/verdict_mark.h"

namespace sxb::analysis {

/// A row of the verdict table: a goal, or what must hold without one.
struct Verdict {
  std::string item, required, achieved;
  Mark mark = Mark::kNotJudged;
  std::string note;
  bool must_tell = false;  ///< to find out was the task: UNSTABLE misses it too

  bool missed() const { return fails(mark) || (must_tell && mark == Mark::kUnstable); }
};

/// What a reader must know before believing a figure.
struct Finding {
  std::string severity, code, message, help, where;
  std::size_t line = 0;  ///< of records.jsonl; 0 = derived from many
};

}  // namespace sxb::analysis
