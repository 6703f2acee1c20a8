// The verdicts that a figure can get.
#pragma once

namespace sxb::analysis {

enum class Mark {
  kPass,
  kWarn,
  kFail,
  kUnstable,     ///< its own spread hides what it is
  kImplausible,  ///< above a physical limit: measured or counted wrongly
  kNotMeasured,
  kNotJudged  ///< nothing is known to hold it against
};
const char* to_string(Mark mark);
/// Whether the goals are missed with it.
inline bool fails(Mark mark) { return mark == Mark::kFail || mark == Mark::kImplausible; }

}  // namespace sxb::analysis
