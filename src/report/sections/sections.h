// The sections of the summary report, in the order in which it has them.
#pragma once

#include "analysis/analysis.h"
#include "report/document/document.h"

namespace sxb::report {

Document build_document(const analysis::Analysis& analysis);

void add_verdicts(const analysis::Analysis& analysis, Document& document);
void add_sft(const analysis::Analysis& analysis, Document& document);
void add_phases(const analysis::Analysis& analysis, Document& document);
void add_gpus(const analysis::Analysis& analysis, Document& document);
void add_nccl(const analysis::Analysis& analysis, Document& document);
void add_expected(const analysis::Analysis& analysis, Document& document);
void add_locate(const analysis::Analysis& analysis, Document& document);
void add_gpu_tests(const analysis::Analysis& analysis, Document& document);
void add_burns(const analysis::Analysis& analysis, Document& document);
void add_findings(const analysis::Analysis& analysis, Document& document);
void add_tasks(const analysis::Analysis& analysis, Document& document);
void add_provenance(const analysis::Analysis& analysis, Document& document);

// Charts; each may be empty.
LineChart loss_chart(const analysis::Analysis& analysis);
LineChart step_time_chart(const analysis::Analysis& analysis);
LineChart scaling_chart(const analysis::Analysis& analysis);
LineChart busbw_chart(const analysis::Analysis& analysis);
/// Measured busbw of one sweep over size, beside the expected one and the physical limit.
LineChart expected_chart(const analysis::NcclGroup& group);
LineChart gpu_chart(const analysis::Analysis& analysis, analysis::GpuMetric metric, const char* title,
                    const char* y_label);

/// What a search has found, for the terminal.
std::string locate_text(const analysis::LocateSearch& search);
/// FAIL, not repeated, not tested.
const char* verdict_of(const analysis::LocateFault& fault);

/// "7b, 2 nodes".
std::string group_label(const analysis::SftGroup& group);

}  // namespace sxb::report
