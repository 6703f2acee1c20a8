// The parts of summary.json that other exports have too, or that have a file of their own.
#pragma once

#include <vector>

#include "analysis/analysis.h"
#include "base/json.h"

namespace sxb::report {

/// Where the step of one task or group goes; null if the journal has no phase times.
Json phases_json(const analysis::StepBreakdown& breakdown);
/// "gpu" and "burn".
Json gpu_json(const analysis::Analysis& analysis);
Json burn_json(const analysis::Analysis& analysis);
/// The searches.
Json locate_json(const analysis::Analysis& analysis);
/// What was expected of a sweep, its fit and its NICs.
Json expected_json(const analysis::NcclGroup& group);
/// Figures against the speed of light.
Json checks_json(const std::vector<analysis::Check>& checks);

}  // namespace sxb::report
