// The measured steps of a fine-tuning task: the sample behind its throughput and its step time.
#pragma once

#include <optional>
#include <vector>

#include "analysis/read/dataset.h"
#include "stats/change.h"

namespace sxb::analysis {

/// Columns of equal length, in step order; warm-up is left out.
struct MeasuredSteps {
  std::vector<int> number;  ///< of the step, from 1
  std::vector<double> tokens, time_ms;
};
MeasuredSteps measured_steps(const TaskData& task);

/// The rows of another run that the throughput is held against.
enum class Rows {
  kTheSame,  ///< how full they are is no noise: only the times are
  kOthers
};
/// One repeat each, with the spread of its steps; nullopt without measured steps, ranks or tokens.
std::optional<stats::Repeat> tokens_per_s_and_rank(const TaskData& task, Rows rows);
std::optional<stats::Repeat> step_time_ms(const TaskData& task);

}  // namespace sxb::analysis
