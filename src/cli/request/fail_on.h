// --fail-on of sxbench compare: which verdicts end the process with exit code 3.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "analysis/compare/compare.h"
#include "base/result.h"

namespace sxb::cli {

struct FailOn {
  bool slower = false, unstable = false, missing = false;
  double threshold = 0.03;  ///< the smallest change that matters
};

/// Terms joined by commas, each at most once: slower, slower>3%, slower>0.5%, unstable, missing. "" names
/// none.
Result<FailOn> parse_fail_on(std::string_view text);

/// One line for each reason to fail; empty = passed. A figure that cannot be believed always is one. Of
/// what is MISSING only what A has and B has not: that B measured more than A is no failure.
std::vector<std::string> failures(const analysis::Comparison& comparison, const FailOn& fail_on);

}  // namespace sxb::cli
