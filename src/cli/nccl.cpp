// sxbench nccl: the sweep of nccl-tests, with its flags and its text.
#include <memory>

#include "cli/request.h"
#include "cli/verbs.h"
#include "sxbench/base/units.h"

namespace sxb::cli {
namespace {

/// An option that takes sizes as nccl-tests does: "8", "32K", "1M", "8G".
CLI::Option* add_size(CLI::App& verb, const char* names, std::int64_t& target, const char* description) {
  const auto read = [&target](const CLI::results_t& words) {
    const Result<std::int64_t> bytes = parse_bytes(words.front());
    if (!bytes.ok()) throw CLI::ValidationError(bytes.error().what);
    target = *bytes;
    return true;
  };
  return verb.add_option(names, read, description)->type_name("SIZE")->expected(1);
}

std::vector<CLI::Option*> add_sweep_flags(CLI::App& verb, plan::CollectiveSweep& sweep) {
  return {
      add_size(verb, "-b,--minbytes", sweep.min_bytes, "smallest size (default 8)"),
      add_size(verb, "-e,--maxbytes", sweep.max_bytes, "largest size (default 8G on GPUs, 4M on the CPU)"),
      verb.add_option("-f,--stepfactor", sweep.step_factor,
                      "each size is the one before times this (default 2)"),
      add_size(verb, "-i,--stepbytes", sweep.step_bytes, "each size is the one before plus this"),
      verb.add_option("-n,--iters", sweep.iterations, "timed iterations (default 20)"),
      verb.add_option("-w,--warmup_iters", sweep.warmup, "iterations before (default 5)"),
      verb.add_option("-c,--check", sweep.check, "check every result: 1 yes, 0 no (default 1)"),
      verb.add_option("-d,--datatype", sweep.dtype,
                      "float, double, half, bfloat16, int32 ... (default float)"),
      verb.add_option("-o,--op", sweep.redop, "sum, prod, min, max, avg (default sum)"),
  };
}

}  // namespace

void add_nccl(CLI::App& app, ExitCode& result) {
  CLI::App* verb =
      app.add_subcommand("nccl", "Sweep a collective over sizes, with the flags and text of nccl-tests");
  verb->footer(
      "Examples:\n"
      "  sxbench nccl                                         all nodes, 8 B to 8 GiB (4 MiB on the CPU)\n"
      "  sxbench nccl --nodes 1,2,4 --cluster cluster.json\n"
      "  sxbench nccl -b 1M -e 1G -f 4 -n 50 -d bfloat16");
  auto flags = std::make_shared<Flags>();
  flags->phases = "nccl,report";
  add_place_flags(*verb, *flags);
  add_conduct_flags(*verb, *flags);
  const std::vector<CLI::Option*> sweep = add_sweep_flags(*verb, flags->sweep);
  verb->callback([flags, sweep, &result] {
    flags->max_bytes_given = sweep[1]->count() > 0;
    const std::optional<Request> request = resolve_or_explain(*flags, result);
    if (!request) return;
    NcclProgress display;
    result = perform(*request, *flags, display);
  });
}

}  // namespace sxb::cli
