#include "cli/ui/run_summary.h"

#include <fmt/format.h>

#include "launch/head/journal.h"

namespace sxb::cli {

std::string RunSummary::text() const {
  if (state == "running") {
    return fmt::format("{} ok, {} failed, {} running, {} to do", ok, failed, running, missing);
  }
  return fmt::format("{} ok, {} failed, {} missing", ok, failed, missing);
}

RunSummary summarize(const analysis::Dataset& run) {
  RunSummary summary;
  bool interrupted = !run.complete;
  const bool works = launch::is_being_written(run.folder);
  for (const analysis::TaskData& task : run.tasks) {
    switch (task.status()) {
      case analysis::TaskStatus::kOk:
        ++summary.ok;
        break;
      case analysis::TaskStatus::kFailed:
        ++summary.failed;
        if (task.last<record::TaskEnd>().exit_code == static_cast<int>(ExitCode::kUsage)) ++summary.hopeless;
        break;
      case analysis::TaskStatus::kInterrupted:
        if (works && !task.end) {
          ++summary.running;
          break;
        }
        [[fallthrough]];
      case analysis::TaskStatus::kMissing:
        ++summary.missing;
        interrupted = true;
        break;
    }
  }
  summary.state = works                 ? "running"
                  : interrupted         ? "interrupted"
                  : summary.failed == 0 ? "complete"
                  : summary.ok == 0     ? "failed"
                                        : "partial";
  return summary;
}

}  // namespace sxb::cli
