// sxbench worker: what sxbench starts on the nodes; not for people.
#include <unistd.h>

#include <cstdio>

#include "cli/verbs.h"
#include "cli/worker.h"
#include "launch/agent.h"
#include "launch/rank.h"

namespace sxb::cli {

void leave(ExitCode code) {
  std::fflush(nullptr);
  ::_exit(static_cast<int>(code));
}

void add_worker(CLI::App& app, ExitCode& /*result*/) {
  CLI::App* verb = app.add_subcommand("worker", "What sxbench starts on the nodes")->group("");
  verb->footer("Examples:\n  sxbench worker agent < agent-task.json           see \"commands\" in plan.json");
  verb->require_subcommand(1);
  add_bench_kernels(*verb);
  verb->add_subcommand("agent", "One node of one task; reads its task on stdin")->callback([] {
    leave(launch::run_agent_worker());
  });
  verb->add_subcommand("rank", "One rank of one task; reads its task on stdin")->callback([] {
    leave(launch::run_rank_worker());
  });
}

}  // namespace sxb::cli
