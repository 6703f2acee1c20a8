// What a reader must know before believing a figure: recorded findings, and those the data show.
#pragma once

#include <vector>

#include "analysis/gpu/burns.h"
#include "analysis/gpu/gpu_groups.h"
#include "analysis/guard/guard.h"
#include "analysis/nccl/nccl_groups.h"
#include "analysis/read/dataset.h"
#include "analysis/sft/sft_groups.h"
#include "analysis/verdict/verdict.h"

namespace sxb::analysis {

/// Figures beyond physics.
std::vector<Finding> implausible_findings(const std::vector<Check>& checks);
/// Ports that send less than the others of their sweep.
std::vector<Finding> nic_findings(const std::vector<NcclGroup>& nccl);
/// The `finding` records, of the run and then of its tasks.
std::vector<Finding> recorded_findings(const Dataset& dataset);
/// Unstable repeats, steps that stand off, GPUs that were slowed down, no measured window.
std::vector<Finding> training_findings(const std::vector<SftGroup>& sft);
/// Lines that are cut off, a run without its end.
std::vector<Finding> journal_findings(const Dataset& dataset);
/// One for each source of samples that could not be read, with the nodes that lack it.
std::vector<Finding> missing_source_findings(const std::vector<SftGroup>& sft);
/// Heat and power brakes while GPUs burnt, figures that did not settle.
std::vector<Finding> device_findings(const std::vector<GpuGroup>& gpu, const std::vector<BurnTask>& burns);

/// Errors first, then warnings; those of one severity stay in their order.
void sort_by_severity(std::vector<Finding>& findings);

}  // namespace sxb::analysis
