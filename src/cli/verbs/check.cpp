// sxbench check: can every rank start and reach the others?
#include <memory>

#include "cli/request/request.h"
#include "cli/verbs/verbs.h"

namespace sxb::cli {

void add_check(CLI::App& app, ExitCode& result) {
  CLI::App* verb =
      app.add_subcommand("check", "Check that every node starts its ranks and that they reach each other");
  verb->footer(
      "Examples:\n"
      "  sxbench check\n"
      "  sxbench check --nodes 4 --cluster cluster.json\n"
      "  sxbench check --hostfile hosts                       the nodes of a DeepSpeed or MPI hostfile");
  auto flags = std::make_shared<Flags>();
  flags->phases = "check,report";
  add_place_flags(*verb, *flags);
  add_conduct_flags(*verb, *flags);
  verb->callback([flags, &result] {
    const std::optional<Request> request = resolve_or_explain(*flags, result);
    if (!request) return;
    CheckProgress display;
    result = perform(*request, *flags, display);
  });
}

}  // namespace sxb::cli
