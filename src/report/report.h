// Everything right of the journal: reads RUN/records.jsonl and RUN/samples/, writes RUN/summary.json
// and RUN/reports/. Pure: the same journal gives the same bytes, with no GPU, clock or network used.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace sxb::report {

struct Outcome {
  std::filesystem::path summary_report;  ///< RUN/reports/summary_report.md
  std::vector<std::string> missed;       ///< each verdict that fails: its mark, item and what was achieved
  bool goals_met() const { return missed.empty(); }
  int tasks_ok = 0, tasks_failed = 0, tasks_missing = 0;
};
/// `path`: a run folder, or a results folder (then its `latest`).
Result<Outcome> write_reports(const std::filesystem::path& path);

struct Export;   // exports/exports.h
struct Section;  // sections/sections.h
/// The same with other files and sections than those of the two tables.
Result<Outcome> write_reports(const std::filesystem::path& path, std::span<const Export> exports,
                              std::span<const Section> sections);

}  // namespace sxb::report
