#include "cli/ui/run_summary.h"

#include <fmt/format.h>

#include "launch/head/journal.h"

namespace sxb::cli {

std::string RunSummary::text() const {
  return fmt::format("{} ok, {} failed, {} missing", ok, failed, missing);
}

RunSummary summarize(const analysis::Dataset& run) {
  RunSummary summary;
  bool interrupted = !run.complete;
  for (const analysis::TaskData& task : run.tasks) {
    switch (task.status()) {
      case analysis::TaskStatus::kOk:
        ++summary.ok;
        break;
      case analysis::TaskStatus::kFailed:
        ++summary.failed;
        break;
      case analysis::TaskStatus::kInterrupted:
      case analysis::TaskStatus::kMissing:
        ++summary.missing;
        interrupted = true;
        break;
    }
  }
  summary.state = launch::is_being_written(run.folder) ? "running"
                  : interrupted                        ? "interrupted"
                  : summary.failed == 0                ? "complete"
                  : summary.ok == 0                    ? "failed"
                                                       : "partial";
  return summary;
}

}  // namespace sxb::cli
