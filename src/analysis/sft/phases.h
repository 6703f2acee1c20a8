// Where the time of a step goes: its phases, the communication that shows, and what the GPUs did meanwhile.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analysis/read/phase_spans.h"
#include "analysis/read/samples.h"
#include "record/kinds/training.h"

namespace sxb::analysis {

/// Fewer samples than this make no mean: the figure is missing.
inline constexpr std::size_t kMinPhaseSamples = 8;

/// The parts of a step, without overlap: the phases, then the communication that the compute stream waited
/// for, in many short waits between and inside the phases: no sample describes it.
struct PartInfo {
  const char* name;   ///< in CSV and JSON
  const char* title;  ///< for people
  std::optional<double> record::Step::*of_step;
  std::optional<double> record::Phases::*of_rank;
};
inline constexpr PartInfo kParts[] = {
    {"forward", "forward", &record::Step::forward_ms, &record::Phases::forward_ms},
    {"backward", "backward", &record::Step::backward_ms, &record::Phases::backward_ms},
    {"optimizer", "optimizer", &record::Step::optimizer_ms, &record::Phases::optimizer_ms},
    {"exposed_communication", "exposed communication", &record::Step::exposed_comm_ms,
     &record::Phases::exposed_comm_ms}};
inline constexpr std::size_t kExposed = kPhases;  ///< index in kParts

struct RankTime {
  int rank = -1;
  std::string node;
  double ms = 0;
};

struct PartFigures {
  std::optional<double> ms;     ///< median over the measured steps of rank 0
  std::optional<double> share;  ///< of the step: both summed over the measured steps
  std::vector<RankTime> ranks;  ///< each rank's median, in rank order
  PhaseActivity activity;       ///< all GPUs together; empty for the exposed communication
  std::optional<double> sm_active_pct, tensor_active_pct, dram_active_pct, power_w;  ///< means per GPU
  std::optional<double> energy_mj_per_token;  ///< power_w x ms / tokens of a step on one GPU

  const RankTime* fastest() const;  ///< nullptr without ranks
  const RankTime* slowest() const;
};

/// Of one task, or joined over the repeats of a group.
struct StepBreakdown {
  std::size_t steps = 0;                 ///< measured steps with phase times; 0: the journal has none
  std::optional<double> step_ms;         ///< median of rank 0's own step time
  std::vector<PartFigures> parts;        ///< as kParts; empty if steps is 0
  std::optional<double> rest_share;      ///< of the step, in no part
  std::optional<double> tokens_per_gpu;  ///< of one step
  std::optional<double> power_span_s;    ///< time that a power reading describes
  std::optional<double> tick_s, gpm_s;   ///< median time between two samples, and between two with GPM
  bool alternating = false;              ///< gradient accumulation: forward and backward have no fixed place
};

StepBreakdown break_down(const TaskData& task, const TaskSamples& samples);
/// Medians of times, means of shares, samples pooled; empty ones are left out.
StepBreakdown join_repeats(const std::vector<const StepBreakdown*>& repeats);

}  // namespace sxb::analysis
