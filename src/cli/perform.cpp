// From a validated request to a report and an exit code.
#include <fmt/format.h>

#include <algorithm>

#include "cli/request.h"
#include "launch/interrupt.h"
#include "sxbench/report/report.h"

namespace sxb::cli {
namespace {

/// Writes the reports of a finished run; its own errors must not hide that the tasks ran.
ExitCode write_report(const std::filesystem::path& dir, ExitCode code) {
  const Result<report::Outcome> outcome = report::write_reports(dir);
  if (!outcome.ok()) {
    fmt::print(stderr, "{}", format_errors(outcome.errors()));
    return code == ExitCode::kOk ? outcome.error().code : code;
  }
  fmt::print("{}\n", outcome->summary_report.string());
  fmt::print(stderr, "{} of {} tasks ok{}\n", outcome->tasks_ok,
             outcome->tasks_ok + outcome->tasks_failed + outcome->tasks_missing,
             outcome->goals_met ? "" : "; a goal of the cluster config was missed, see the report");
  return code == ExitCode::kOk && !outcome->goals_met ? ExitCode::kGoalMissed : code;
}

}  // namespace

ExitCode perform(const Request& request, launch::Observer& observer) {
  launch::count_interrupts();
  const auto run = [&]() -> Result<launch::RunOutcome> {
    int nodes = 1;
    for (const plan::Task& task : request.options.tasks) nodes = std::max(nodes, task.nodes);
    SXB_ASSIGN_OR_RETURN(const auto transport, launch::make_transport(request.options.cluster, nodes));
    return launch::execute(request.options, *transport, observer);
  };
  const Result<launch::RunOutcome> outcome = run();
  if (!outcome.ok()) {
    fmt::print(stderr, "{}", format_errors(outcome.errors()));
    return outcome.error().code;
  }
  if (!request.report) {
    fmt::print("{}\n", outcome->dir.string());
    return outcome->code;
  }
  const ExitCode code = write_report(outcome->dir, outcome->code);
  if (outcome->interrupted) fmt::print(stderr, "interrupted; the report has what was measured until then\n");
  return code;
}

}  // namespace sxb::cli
