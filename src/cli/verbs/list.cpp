// sxbench list: the runs of a results folder.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <vector>

#include "analysis/read/dataset.h"
#include "base/clock.h"
#include "base/folder.h"
#include "base/shell.h"
#include "base/text.h"
#include "cli/request/options.h"
#include "cli/ui/run_summary.h"
#include "cli/ui/terminal.h"
#include "cli/verbs/verbs.h"

namespace sxb::cli {
namespace {

namespace fs = std::filesystem;

ExitCode list(const fs::path& results) {
  std::error_code ec;
  std::vector<fs::path> runs;
  for (const fs::path& path : paths_in(results, ec)) {
    std::error_code ignored;
    if (!fs::is_symlink(path, ignored) && fs::exists(path / "records.jsonl", ignored)) runs.push_back(path);
  }
  if (ec) {
    write_err(format_error({"cannot read the results folder: " + ec.message(), results.string(),
                            "name the folder that --out of sxbench run named"}));
    return ExitCode::kUsage;
  }
  if (runs.empty() && fs::exists(results / "records.jsonl", ec)) {
    return report_errors({{"this is a run, not a folder of runs", results.string(),
                           shell_line({"sxbench", "show", results.string()}) + " shows its tasks"}});
  }
  if (runs.empty()) {
    print_err("there are no runs in {}; sxbench run makes one\n", results.string());
    return ExitCode::kOk;
  }
  std::size_t width = 3;
  for (const fs::path& run : runs) width = std::max(width, printable_line(run.filename()).size());
  print_out("{:<{}}  {:<20}  {:<11}  {}\n", "run", width, "started", "state", "tasks");
  for (const fs::path& run : runs) {
    const std::string name = printable_line(run.filename());
    const Result<analysis::Dataset> dataset = analysis::load_dataset(run);
    if (!dataset.ok()) {
      print_out("{:<{}}  {:<20}  {:<11}  {}\n", name, width, "-", "unreadable", dataset.error().what);
      continue;
    }
    const RunSummary summary = summarize(*dataset);
    print_out("{:<{}}  {:<20}  {:<11}  {}\n", name, width, format_utc(dataset->start_wall_ns), summary.state,
              summary.text());
  }
  return ExitCode::kOk;
}

}  // namespace

void add_list(CLI::App& app, ExitCode& result) {
  CLI::App* verb = app.add_subcommand("list", "List the runs of a results folder and how they ended");
  verb->footer("Examples:\n  sxbench list\n  sxbench list /raid/results");
  auto path = std::make_shared<std::string>("results");
  path_option(verb->add_option("results", *path, "the folder of runs"));
  verb->callback([path, &result] { result = list(*path); });
}

}  // namespace sxb::cli
