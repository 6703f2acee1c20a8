// sxbench run: check, sweep, fine-tune, report.
#include <algorithm>
#include <memory>

#include "analysis/read/dataset.h"
#include "base/input_file.h"
#include "cli/request/options.h"
#include "cli/request/preview.h"
#include "cli/request/request.h"
#include "cli/verbs/verbs.h"

namespace sxb::cli {
namespace {

constexpr const char* kLatest = "latest";

/// True if a flag says what to run: then the plan comes from the flags, not from the journal.
bool states_a_plan(const CLI::App& verb) {
  const std::vector<std::string> conduct = {"resume", "retries", "exclude", "spares",
                                            "json",   "out",     "dry-run"};
  const auto options = verb.get_options([&](const CLI::Option* option) {
    return option->count() > 0 && !option->get_lnames().empty() &&
           std::find(conduct.begin(), conduct.end(), option->get_lnames().front()) == conduct.end();
  });
  return !options.empty();
}

/// The run that --resume means: a folder, or without one the latest of the results folder.
Result<std::filesystem::path> run_to_resume(const std::string& word, const std::filesystem::path& results) {
  const std::filesystem::path folder = word == kLatest ? results : std::filesystem::path(word);
  note_newest(folder);
  return analysis::find_run(folder);
}

Result<Request> resolve_resume(const std::string& word, const CLI::App& verb, const Flags& flags) {
  if (!states_a_plan(verb)) {
    const std::string out = flags.config.of("--out");
    const std::string results = out.empty() ? "results" : expand_home(out);
    SXB_ASSIGN_OR_RETURN(const auto run, run_to_resume(word, results));
    return resolve_resumed(run, flags, own_command_line());
  }
  SXB_ASSIGN_OR_RETURN(Request request, resolve(flags, own_command_line()));
  const Result<std::filesystem::path> run = run_to_resume(word, request.results);
  // A script may say --resume always: its first run has nothing to go on with.
  if (!run.ok() && word == kLatest) return request;
  SXB_RETURN_IF_ERROR(run);
  request.resume = *run;
  return request;
}

}  // namespace

void add_run(CLI::App& app, ExitCode& result) {
  CLI::App* verb =
      app.add_subcommand("run", "Qualify the cluster: check it, sweep NCCL, fine-tune Llama-2, report");
  verb->footer(
      "Examples:\n"
      "  sxbench run                                          this machine, with what it has\n"
      "  sxbench run --smoke                                  the same in under a minute, for CI\n"
      "  sxbench run --models 7b,13b --nodes 1,2,4 --cluster cluster.json\n"
      "  sxbench run --phases sft --models 7b --steps 50 --set training.micro_batch=4\n"
      "  sxbench run --nodes 8 --dry-run                      show every command, start nothing\n"
      "  sxbench run --resume                                 do what the latest run lacks\n"
      "  sxbench run --nodes 8 --spares node[009-010] --retries 1");
  auto flags = std::make_shared<Flags>();
  auto dry_run = std::make_shared<bool>(false);
  add_place_flags(*verb, *flags);
  add_work_flags(*verb, *flags);
  add_conduct_flags(*verb, *flags);
  auto resume = std::make_shared<std::string>();
  path_option(
      verb->add_option(
          "--resume", *resume,
          "do only what a run lacks (a run folder, default the latest): of its own plan, or of the plan "
          "that the other flags make"))
      ->type_name("[RUN]")
      ->expected(0, 1)
      ->default_str(kLatest);
  verb->add_flag("--dry-run", *dry_run, "print every command and write plan.json; start nothing");
  verb->callback([verb, flags, dry_run, resume, &result] {
    const std::optional<Request> request =
        resume->empty() ? resolve_or_explain(*flags, result)
                        : value_or_explain(resolve_resume(*resume, *verb, *flags), result);
    if (!request) return;
    if (*dry_run) {
      result = preview_commands(*request);
      return;
    }
    Progress display;
    result = perform(*request, *flags, display);
  });
}

}  // namespace sxb::cli
