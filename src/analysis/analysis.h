// From the journal and the samples to everything a report states. Pure: nothing here is measured again.
#pragma once

#include <vector>

#include "analysis/gpu/burns.h"
#include "analysis/gpu/gpu_groups.h"
#include "analysis/guard/guard.h"
#include "analysis/locate/locate.h"
#include "analysis/nccl/nccl_groups.h"
#include "analysis/read/dataset.h"
#include "analysis/read/hardware.h"
#include "analysis/sft/sft_groups.h"
#include "analysis/verdict/verdict.h"

namespace sxb::analysis {

struct Analysis {
  const Dataset* dataset = nullptr;
  bool cuda = false, cpu = false;  ///< devices that the ranks reported
  std::vector<SftGroup> sft;
  std::vector<NcclGroup> nccl;
  std::vector<LocateSearch> searches;
  std::vector<GpuGroup> gpu;
  std::vector<BurnTask> burns;
  std::vector<Check> gpu_checks;  ///< micro-benchmarks and burn against the speed of light
  std::vector<Finding> findings;
  std::vector<Verdict> verdicts;
  bool goals_met() const;
  std::vector<Check> checks() const;  ///< of all figures
};

/// `dataset` must outlive what is returned, which points into it.
Analysis analyze(const Dataset& dataset, const Hardware& hardware);

}  // namespace sxb::analysis
