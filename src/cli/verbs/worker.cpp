// sxbench worker: what sxbench starts on the nodes; not for people.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "cli/request/file_mode.h"
#include "cli/ui/terminal.h"
#include "cli/verbs/verbs.h"
#include "cli/verbs/worker.h"
#include "launch/head/rendezvous_host.h"
#include "launch/node/agent.h"
#include "launch/node/node_key.h"
#include "launch/node/rank.h"

namespace sxb::cli {

namespace {

ExitCode print_address(const std::string& interface, const std::string& family, const std::string& mark) {
  const Result<config::AddressFamily> wanted = config::parse_family(family, "family");
  const Result<std::string> address =
      wanted.ok() ? launch::interface_address(interface, *wanted, std::getenv("SSH_CONNECTION"))
                  : Result<std::string>(wanted.errors());
  if (!address.ok()) {
    // One line: the head shows the last one.
    print_err("{}; {}\n", address.error().what, address.error().help);
    return address.error().code;
  }
  print_out("{} {}\n", mark, *address);
  return ExitCode::kOk;
}

}  // namespace

void leave(ExitCode code) {
  const ExitCode last = with_output_written(code);
  std::fflush(nullptr);  // what libraries have printed
  ::_exit(static_cast<int>(last));
}

void add_worker(CLI::App& app, ExitCode& /*result*/) {
  CLI::App* verb = app.add_subcommand("worker", "What sxbench starts on the nodes")->group("");
  verb->footer("Examples:\n  sxbench worker agent < agent-task.json           see \"commands\" in plan.json");
  verb->require_subcommand(1);
  add_bench_kernels(*verb);
  CLI::App* agent = verb->add_subcommand("agent", "One node of one task; reads its task on stdin");
  auto bundle = std::make_shared<std::string>();
  agent->add_option("--bundle", *bundle,
                    "the tasks of all nodes, encrypted for the keys that they made; -: in clear, on stdin");
  agent->callback([bundle] {
    restore_umask();
    leave(launch::run_agent_worker(*bundle));
  });
  CLI::App* key = verb->add_subcommand("key", "Make this node's key for a run, print its public half");
  auto id = std::make_shared<std::string>();
  auto forget = std::make_shared<bool>(false);
  key->add_option("id", *id, "of the run")->required();
  key->add_flag("--forget", *forget, "remove it again");
  key->callback([id, forget] { leave(launch::run_key_worker(*id, *forget)); });
  CLI::App* address = verb->add_subcommand("address", "Print this machine's address on an interface");
  auto interface = std::make_shared<std::string>(), family = std::make_shared<std::string>("any");
  address->add_option("interface", *interface)->required();
  address->add_option("family", *family);
  auto mark = std::make_shared<std::string>();
  address->add_option("mark", *mark, "stands before the address: other lines are somebody else's");
  address->callback([=] { leave(print_address(*interface, *family, *mark)); });
  verb->add_subcommand("rank", "One rank of one task; reads its task on stdin")->callback([] {
    leave(launch::run_rank_worker());
  });
}

}  // namespace sxb::cli
