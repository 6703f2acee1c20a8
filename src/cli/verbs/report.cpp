// sxbench report: the documents of a run, again, from its journal alone.
#include <fmt/format.h>

#include <memory>

#include "analysis/read/dataset.h"
#include "cli/request/file_mode.h"
#include "cli/request/options.h"
#include "cli/ui/progress.h"
#include "cli/ui/terminal.h"
#include "cli/verbs/verbs.h"
#include "report/report.h"

namespace sxb::cli {

void add_report(CLI::App& app, ExitCode& result) {
  CLI::App* verb = app.add_subcommand("report", "Write the reports of a run again, from its journal alone");
  verb->footer(
      "Examples:\n"
      "  sxbench report                                       the latest run under results/\n"
      "  sxbench report results/20261121T071340Z-local-1a2b3c");
  auto path = std::make_shared<std::string>("results");
  path_option(verb->add_option("path", *path, "a run folder, or a folder of runs (then its latest)"));
  verb->callback([path, &result] {
    note_newest(*path);
    if (const auto run = analysis::find_run(*path); run.ok()) limit_new_files_as(*run);
    const Result<report::Outcome> outcome = report::write_reports(*path);
    if (!outcome.ok()) {
      write_err(format_errors(outcome.errors()));
      result = outcome.error().code;
      return;
    }
    print_path(outcome->summary_report.string());
    if (outcome->goals_met()) return;
    print_err("{}\n", missed_lines(outcome->missed));
    result = ExitCode::kGoalMissed;
  });
}

}  // namespace sxb::cli
