// Everything right of the journal: reads RUN/records.jsonl and RUN/samples/, writes RUN/summary.json
// and RUN/reports/. Pure: the same journal gives the same bytes, with no GPU, clock or network used.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "sxbench/base/build_info.h"
#include "sxbench/base/json.h"
#include "sxbench/base/result.h"
#include "sxbench/record/record.h"

namespace sxb::report {

struct Outcome {
  std::filesystem::path summary_report;  ///< RUN/reports/summary_report.md
  bool goals_met = true;                 ///< false: at least one goal of the cluster config was missed
  int tasks_ok = 0, tasks_failed = 0, tasks_missing = 0;
};
/// `path`: a run folder, or a results folder (then its `latest`).
Result<Outcome> write_reports(const std::filesystem::path& path);

/// nccl-tests' text layout, line by line, so that `sxbench nccl` can print it live.
class NcclText {
 public:
  /// Header: versions, sweep, device lines (from "device" records, in rank order). `version` is that
  /// of the sxbench that measured.
  static std::string header(const Json& sweep, const std::vector<record::Record>& devices,
                            const std::string& version = sxb::version());
  /// One row from a "collective" record.
  static std::string row(const record::Record& collective);
  /// Footer with out-of-bounds count and average bus bandwidth over all rows and placements.
  static std::string footer(const std::vector<record::Record>& collectives);
};

}  // namespace sxb::report
