#include "analysis/guard/verdict_mark.h"

namespace sxb::analysis {

const char* to_string(Mark mark) {
  switch (mark) {
    case Mark::kPass:
      return "PASS";
    case Mark::kWarn:
      return "WARN";
    case Mark::kFail:
      return "FAIL";
    case Mark::kUnstable:
      return "UNSTABLE";
    case Mark::kImplausible:
      return "IMPLAUSIBLE";
    case Mark::kNotMeasured:
      return "NOT MEASURED";
    case Mark::kNotJudged:
      return "NOT JUDGED";
  }
  return "";
}

}  // namespace sxb::analysis
