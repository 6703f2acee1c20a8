// Fine-tuning tasks: repeats joined, scaling against the smallest node count of each model.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analysis/guard/guard.h"
#include "analysis/read/dataset.h"
#include "analysis/read/hardware.h"
#include "analysis/read/samples.h"
#include "analysis/sft/phases.h"
#include "analysis/sft/sft_figures.h"

namespace sxb::analysis {

/// One repeat.
struct SftTask {
  const TaskData* task = nullptr;
  TaskSamples samples;
  Figures figures;
  StepBreakdown phases;
};

/// The repeats of one model on one node count.
struct SftGroup {
  std::string model;
  int nodes = 0;
  std::vector<SftTask> tasks;
  int ok = 0;                           ///< tasks with a result
  int hosts = 0;                        ///< machines, 0 = unknown
  Figures figures;                      ///< median over the repeats that are ok
  StepBreakdown phases;                 ///< joined over the repeats that are ok
  std::optional<double> repeat_spread;  ///< (max - min) / median of samples/s; from two repeats on
  std::optional<double> step_noise;     ///< largest 1.4826 MAD / median of the step times of one repeat
  bool unstable = false;                ///< one of the two exceeds stats::kUnstable
  bool implausible = false;             ///< one of `checks` is
  std::vector<Check> checks;            ///< against the speed of light
  std::optional<double> global_batch;   ///< sequences per optimizer step
  std::optional<int> base_nodes;        ///< node count the scaling figures refer to
  std::optional<double> speedup, efficiency;
  std::string scaling;         ///< weak: same batch per rank as the base; strong: same global batch
  std::string status() const;  ///< as status_of_repeats()
};

/// The tasks of phase sft, in the order of the plan.
std::vector<SftGroup> group_sft(const Dataset& dataset, const Hardware& hardware);

}  // namespace sxb::analysis
