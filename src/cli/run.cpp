// sxbench run: check, sweep, fine-tune, report.
#include <memory>

#include "cli/preview.h"
#include "cli/progress.h"
#include "cli/request.h"
#include "cli/verbs.h"

namespace sxb::cli {

void add_run(CLI::App& app, ExitCode& result) {
  CLI::App* verb =
      app.add_subcommand("run", "Qualify the cluster: check it, sweep NCCL, fine-tune Llama-2, report");
  verb->footer(
      "Examples:\n"
      "  sxbench run                                          this machine, with what it has\n"
      "  sxbench run --smoke                                  the same in under a minute, for CI\n"
      "  sxbench run --models 7b,13b --nodes 1,2,4 --cluster cluster.json\n"
      "  sxbench run --phases sft --models 7b --steps 50 --set training.micro_batch=4\n"
      "  sxbench run --nodes 8 --dry-run                      show every command, start nothing");
  auto flags = std::make_shared<Flags>();
  auto dry_run = std::make_shared<bool>(false);
  add_place_flags(*verb, *flags);
  add_work_flags(*verb, *flags);
  verb->add_flag("--dry-run", *dry_run, "print every command and write plan.json; start nothing");
  verb->callback([flags, dry_run, &result] {
    const std::optional<Request> request = resolve_or_explain(*flags, result);
    if (!request) return;
    if (*dry_run) {
      result = preview_commands(*request);
      return;
    }
    Terminal terminal;
    Progress progress(terminal);
    result = perform(*request, progress);
  });
}

}  // namespace sxb::cli
