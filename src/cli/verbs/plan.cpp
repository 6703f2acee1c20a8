// sxbench plan: the tasks of a run, and whether they fit.
#include <memory>

#include "cli/request/preview.h"
#include "cli/request/request.h"
#include "cli/verbs/verbs.h"

namespace sxb::cli {

void add_plan(CLI::App& app, ExitCode& result) {
  CLI::App* verb =
      app.add_subcommand("plan", "List the tasks that run would do, with the memory each rank needs");
  verb->footer(
      "Examples:\n"
      "  sxbench plan --models 7b,13b --nodes 2,4,8 --cluster cluster.json\n"
      "  sxbench plan --models 70b --nodes 8 --set training.recompute=blocks");
  auto flags = std::make_shared<Flags>();
  add_place_flags(*verb, *flags);
  add_work_flags(*verb, *flags);
  verb->callback([flags, &result] {
    const std::optional<Request> request = resolve_or_explain(*flags, result);
    if (request) result = preview_tasks(*request);
  });
}

}  // namespace sxb::cli
