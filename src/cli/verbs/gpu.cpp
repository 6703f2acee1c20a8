// sxbench gpu: the micro-benchmarks of every GPU.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/text.h"
#include "cli/request/options.h"
#include "cli/request/request.h"
#include "cli/ui/terminal.h"
#include "cli/verbs/verbs.h"

namespace sxb::cli {
namespace {

void list_tests() {
  for (const plan::GpuTest& test : plan::gpu_tests()) {
    print_out("{:<12} {:<4} {}\n", test.name, test.host ? "CPU" : "GPU", test.what);
  }
}

void add_suite_flags(CLI::App& verb, plan::GpuSuite& suite) {
  once(verb.add_option_function<std::string>(
      "--tests",
      [&suite](const std::string& text) {
        suite.tests.clear();
        for (const std::string& name : split(text, ',')) suite.tests.emplace_back(trim(name));
      },
      "some of those that --list shows, e.g. gemm,hbm (default: all)"));
  size_option(verb, "--size", suite.bytes, "buffer of a copy (default 512M)");
  verb.add_option("--runs", suite.max_runs, "most runs of a figure; fewer where it is steady (default 50)")
      ->check(between(1, 10000));
}

}  // namespace

void add_gpu(CLI::App& app, ExitCode& result) {
  CLI::App* verb = app.add_subcommand(
      "gpu", "Measure every GPU: matrix products, memory, host and peer copies, latency, attention");
  verb->footer(
      "Examples:\n"
      "  sxbench gpu                                          all tests on all GPUs of this machine\n"
      "  sxbench gpu --tests gemm,hbm --nodes 8 --cluster cluster.json\n"
      "  sxbench gpu --list                                   what there is to measure");
  auto flags = std::make_shared<Flags>();
  auto list = std::make_shared<bool>(false);
  flags->phases = "gpu,report";
  add_place_flags(*verb, *flags);
  add_conduct_flags(*verb, *flags);
  verb->add_option("--repeats", flags->repeats, "how often the suite runs (default 1)")
      ->check(between(1, 1000));
  add_suite_flags(*verb, flags->gpu);
  verb->add_flag("--list", *list, "print the tests and end");
  verb->callback([flags, list, &result] {
    if (*list) return list_tests();
    flags->gpu.min_runs = std::min(flags->gpu.min_runs, flags->gpu.max_runs);
    const std::optional<Request> request = resolve_or_explain(*flags, result);
    if (!request) return;
    GpuProgress display;
    result = perform(*request, *flags, display);
  });
}

}  // namespace sxb::cli
