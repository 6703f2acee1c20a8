// sxbench burn: all GPUs of all nodes at work at once, for a while.
#include <memory>

#include "base/units.h"
#include "cli/request/options.h"
#include "cli/request/request.h"
#include "cli/verbs/verbs.h"

namespace sxb::cli {
namespace {

void add_burn_flags(CLI::App& verb, plan::Burn& burn) {
  verb.add_option_function<std::string>(
          "--duration",
          [&burn](const std::string& text) {
            const Result<std::int64_t> seconds = parse_seconds(text);
            if (!seconds.ok()) {
              throw CLI::ValidationError("--duration", seconds.error().what + "; " + seconds.error().help);
            }
            burn.duration_s = static_cast<int>(*seconds);
          },
          "how long, e.g. 60s, 30m or 12h (default 60s)")
      ->type_name("TIME");
  verb.add_option("--streams", burn.streams, "products at a time on each GPU (default 4)");
  verb.add_option("--precision", burn.precision,
                  "bf16, fp16, fp8, tf32, fp32 or fp64 (default bf16; fp32 on CPU ranks)");
  verb.add_option("--size", burn.size, "rows and columns of the matrices (default 8192; 512 on CPU ranks)");
  verb.add_option("--memory", burn.memory_pct,
                  "percent of the free GPU memory to fill with results (default 80)");
}

}  // namespace

void add_burn(CLI::App& app, ExitCode& result) {
  CLI::App* verb = app.add_subcommand(
      "burn", "Multiply matrices on all GPUs at once; every result must have the same bits");
  verb->footer(
      "Examples:\n"
      "  sxbench burn                                         60 s in BF16 on all GPUs of this machine\n"
      "  sxbench burn --nodes 2,4,8 --duration 10m --cluster cluster.json\n"
      "  sxbench burn --precision fp64 --duration 1h --memory 90");
  auto flags = std::make_shared<Flags>();
  flags->phases = "burn,report";
  add_place_flags(*verb, *flags);
  add_conduct_flags(*verb, *flags);
  verb->add_option("--repeats", flags->repeats, "how often it runs (default 1)")->check(between(1, 1000));
  add_burn_flags(*verb, flags->burn);
  verb->callback([flags, &result] {
    const std::optional<Request> request = resolve_or_explain(*flags, result);
    if (!request) return;
    BurnProgress display;
    result = perform(*request, *flags, display);
  });
}

}  // namespace sxb::cli
