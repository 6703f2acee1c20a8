// The sections of the summary report, as one table: a new section is one file here and one row in
// summary_report.cpp.
#pragma once

#include <span>
#include <string>

#include "analysis/analysis.h"
#include "report/document/document.h"

namespace sxb::report {

/// One row: a section that the report may have.
struct Section {
  const char* title;                                     ///< its heading, and its line in the contents
  void (*add)(const analysis::Analysis&, Document&);     ///< adds what stands below the heading
  bool (*applies)(const analysis::Analysis&) = nullptr;  ///< whether there is one; nullptr = always
};

/// All of them, in the order of the report.
std::span<const Section> sections();

Document build_document(const analysis::Analysis& analysis, std::span<const Section> list = sections());

void add_verdicts(const analysis::Analysis& analysis, Document& document);
void add_sft(const analysis::Analysis& analysis, Document& document);
void add_phases(const analysis::Analysis& analysis, Document& document);
bool has_gpu_use(const analysis::Analysis& analysis);
void add_gpu_use(const analysis::Analysis& analysis, Document& document);
void add_nccl(const analysis::Analysis& analysis, Document& document);
bool has_expected(const analysis::Analysis& analysis);
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

/// "7b, 2 nodes".
std::string group_label(const analysis::SftGroup& group);

/// What held the clocks down, and for what share of the samples: "power 40 %, thermal 3 %"; "" if nothing.
std::string throttle_text(const analysis::GpuUse& use);

}  // namespace sxb::report
