// sxbench locate: which node, GPU, rail or link is slow.
#include <memory>

#include "analysis/locate/locate.h"
#include "cli/request/options.h"
#include "cli/request/request.h"
#include "cli/ui/terminal.h"
#include "cli/verbs/verbs.h"
#include "report/sections/sections.h"

namespace sxb::cli {
namespace {

/// Adds on stdout, at the end, what was found.
class LocateProgress final : public Progress {
 public:
  void run_ended(const Ending& ending) override {
    terminal_.clear();
    const Result<analysis::Dataset> dataset = analysis::load_dataset(ending.run);
    if (dataset.ok()) {
      for (const analysis::LocateSearch& search : analysis::read_searches(*dataset))
        write_out(report::locate_text(search));
    }
    Progress::run_ended(ending);
  }
};

CLI::Option* add_search_flags(CLI::App& verb, plan::Locate& locate) {
  CLI::Option* size = size_option(verb, "--size", locate.size_bytes,
                                  "size of each all-reduce (default 128M on GPUs, 2M on the CPU)");
  verb.add_option("--rounds", locate.rounds, "how often a suspect is tested again, at least (default 3)");
  verb.add_option("--all-pairs", locate.all_pairs,
                  "most nodes of which every pair is probed; more are sampled and bisected (default 32)");
  verb.add_option("--probe-seconds", locate.probe_s, "most time of one probe (default 2)");
  verb.add_option("--timeout", locate.timeout_s,
                  "seconds after which a probe without an answer has failed (default 30)");
  return size;
}

}  // namespace

void add_locate(CLI::App& app, ExitCode& result) {
  CLI::App* verb = app.add_subcommand("locate", "Find the node, GPU, rail or link that is slow");
  verb->footer(
      "Examples:\n"
      "  sxbench locate --hostfile hosts                      all nodes of the file\n"
      "  sxbench locate --nodes 16 --cluster cluster.json --size 256M\n"
      "  sxbench locate --nodes 128 --cluster cluster.json --rounds 5\n"
      "Exit code 3 if something is slow or the figures vary too much to tell, 0 if nothing is "
      "(docs/locate.md).");
  auto flags = std::make_shared<Flags>();
  flags->phases = "locate,report";
  add_place_flags(*verb, *flags);
  add_conduct_flags(*verb, *flags);
  const CLI::Option* size = add_search_flags(*verb, flags->locate);
  verb->callback([flags, size, &result] {
    flags->locate_size_given = size->count() > 0;
    const std::optional<Request> request = resolve_or_explain(*flags, result);
    if (!request) return;
    LocateProgress display;
    result = perform(*request, *flags, display);
  });
}

}  // namespace sxb::cli
