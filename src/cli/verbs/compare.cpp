// sxbench compare: two runs, figure by figure, with a verdict and an exit code.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <set>

#include "analysis/compare/compare.h"
#include "base/files.h"
#include "base/input_file.h"
#include "base/text.h"
#include "cli/request/fail_on.h"
#include "cli/request/options.h"
#include "cli/request/request.h"
#include "cli/ui/terminal.h"
#include "cli/verbs/verbs.h"
#include "report/compare/compare_report.h"

namespace sxb::cli {
namespace {

struct Options {
  std::string a, b, fail_on, only, out;
  bool all = false, json = false;
};

Result<analysis::Side> load(const char* name, const std::string& paths) {
  std::vector<std::filesystem::path> folders;
  for (const std::string& path : split(paths, ',')) {
    if (trim(path).empty()) {
      return Error{fmt::format("{} names an empty path", name), fmt::format("\"{}\"", paths),
                   "give run folders joined by commas"};
    }
    folders.emplace_back(expand_home(std::string(trim(path))));
  }
  for (const std::filesystem::path& folder : folders) note_newest(folder);
  return analysis::load_side(folders);
}

Result<std::set<std::string>> parse_only(const std::string& text) {
  std::set<std::string> sections;
  if (text.empty()) return sections;
  const std::vector<std::string>& known = analysis::compare_sections();
  for (const std::string& word : split(text, ',')) {
    const std::string name(trim(word));
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return Error{fmt::format("\"{}\" is nothing to compare", name), "--only", suggest(name, known)};
    }
    sections.insert(name);
  }
  return sections;
}

/// Empty, or one of the endings that write() knows; refused before anything is read.
Status check_out(const std::string& out) {
  const std::string ending = std::filesystem::path(out).extension();
  if (out.empty() || ending == ".md" || ending == ".csv" || ending == ".json") return ok_status();
  return Error{"the ending of the file names no format", "--out " + out, "end it in .md, .csv or .json"};
}

Status write(const Options& options, const analysis::Comparison& comparison,
             const report::Failures& failures) {
  const std::filesystem::path path = options.out;
  if (path.empty()) return ok_status();
  if (path.extension() == ".csv") return write_file_atomic(path, printable(report::compare_csv(comparison)));
  if (path.extension() == ".md") {
    return write_file_atomic(path, printable(report::compare_markdown(comparison, failures, options.all)));
  }
  return write_file_atomic(path, printable(pretty_json(report::compare_json(comparison, failures))));
}

Error nothing_in_common(const Options& options) {
  return {"A and B have no figure in common", fmt::format("{} and {}", options.a, options.b),
          options.only.empty() ? "compare runs of the same models, node counts and collectives"
                               : "without --only all figures are compared"};
}

Result<ExitCode> compare(const Options& options) {
  SXB_ASSIGN_OR_RETURN(const FailOn fail_on, parse_fail_on(options.fail_on));
  analysis::CompareOptions how;
  how.threshold = fail_on.threshold;
  SXB_ASSIGN_OR_RETURN(how.sections, parse_only(options.only));
  SXB_RETURN_IF_ERROR(check_out(options.out));
  SXB_ASSIGN_OR_RETURN(const analysis::Side a, load("A", options.a));
  SXB_ASSIGN_OR_RETURN(const analysis::Side b, load("B", options.b));
  const analysis::Comparison comparison = analysis::compare(a, b, how);
  const report::Failures failed = failures(comparison, fail_on);
  SXB_RETURN_IF_ERROR(write(options, comparison, failed));
  write_out(options.json ? pretty_json(report::compare_json(comparison, failed))
                         : report::compare_text(comparison, failed, options.all));
  if (!failed.empty()) return ExitCode::kGoalMissed;
  if (!comparison.any_pair()) return nothing_in_common(options);
  return ExitCode::kOk;
}

}  // namespace

void add_compare(CLI::App& app, ExitCode& result) {
  CLI::App* verb =
      app.add_subcommand("compare", "Compare two runs figure by figure: SLOWER, FASTER, SAME ...");
  verb->footer(
      "Examples:\n"
      "  sxbench compare results/20261101T071340Z-before-1a2b3c results\n"
      "  sxbench compare before after --fail-on 'slower>3%,missing'    exit code 3 if so\n"
      "  sxbench compare before-1,before-2,before-3 after-1,after-2    runs of one side are its repeats\n"
      "  sxbench compare before after --only nccl --all --out nccl.md");
  auto options = std::make_shared<Options>();
  verb->add_option(
          "A", options->a,
          "what to compare with: a run folder or a folder of runs (then its latest), or several, joined "
          "by commas")
      ->required();
  verb->add_option("B", options->b, "what to judge, in the same way")->required();
  once(verb->add_option(
           "--fail-on", options->fail_on,
           "verdicts that end with exit code 3: slower>N%, unstable, missing, joined by commas; N is the "
           "smallest change that matters (default 3)"))
      ->type_name("VERDICTS");
  once(verb->add_option("--only", options->only, "sft, nccl, gpu, joined by commas (default: all)"))
      ->type_name("PARTS");
  verb->add_flag("--all", options->all, "show every figure, also those that are SAME");
  verb->add_flag("--json", options->json, "print JSON");
  path_option(verb->add_option("--out", options->out, "write it also to this file: .md, .csv or .json"))
      ->type_name("FILE");
  verb->callback([options, &result] {
    const std::optional<ExitCode> code = value_or_explain(compare(*options), result);
    if (code) result = *code;
  });
}

}  // namespace sxb::cli
