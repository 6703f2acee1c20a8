// A comparison of two runs as text for a terminal, Markdown, CSV and JSON.
#pragma once

#include <string>
#include <vector>

#include "analysis/compare/compare.h"
#include "base/json.h"

namespace sxb::report {

/// What --fail-on found: one line for each reason; empty = passed.
using Failures = std::vector<std::string>;

/// What changed first; rows of one series and verdict folded into one; SAME only counted. `all` shows
/// every row.
std::string compare_text(const analysis::Comparison& comparison, const Failures& failures, bool all);
std::string compare_markdown(const analysis::Comparison& comparison, const Failures& failures, bool all);
/// Every row.
std::string compare_csv(const analysis::Comparison& comparison);
/// Every row; {"v": 1, "a", "b", "threshold_pct", "facts", "counts", "items", "failures", "ok"}.
Json compare_json(const analysis::Comparison& comparison, const Failures& failures);

}  // namespace sxb::report
