// sxbench nccl: the sweep of nccl-tests, with its flags and its text.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "base/input_file.h"
#include "cli/request/options.h"
#include "cli/request/request.h"
#include "cli/verbs/verbs.h"

namespace sxb::cli {
namespace {

constexpr const char* kSizes = "Sizes";
constexpr const char* kWhat = "What is measured";
constexpr const char* kHow = "How it is measured";
constexpr const char* kNccl = "NCCL";
constexpr const char* kPrinted = "What is printed";

/// A flag of nccl-tests that has no meaning here. Scripts that pass the value that changes nothing go on
/// working.
struct Foreign {
  const char* names;
  int harmless;  ///< nccl-tests' default; -1 = none
  const char* what;
  const char* help;
};
constexpr Foreign kForeign[] = {
    {"-t,--nthreads", 1, "sxbench starts one process per GPU, not threads",
     "leave -t out: all GPUs of each node take part; \"gpus\" of a node in the cluster config names others"},
    {"-g,--ngpus", 1, "sxbench starts one process per GPU, and takes all GPUs of each node",
     "leave -g out; \"gpus\" of a node in the cluster config names fewer, --nodes says how many nodes"},
    {"-p,--parallel_init", 0, "the ranks are processes of their own and always initialise in parallel",
     "leave -p out"},
    {"-N,--run_cycles", 1, "sxbench has no cycles within one task",
     "use --repeats to run each sweep several times"},
    {"-y,--stream_null", 0, "sxbench measures on a stream of its own", "leave -y out"},
    {"-C,--report_cputime", 0,
     "the figure is the time until the data is there, never that of the launch alone",
     "leave -C out; `sxbench gpu` measures the time of a kernel launch"},
    {"-D,--device_implementation", 0,
     "sxbench measures the collectives of the NCCL library, no device code of a test",
     "leave -D out; -R 2 uses symmetric windows, -x 2 the copy engines"},
    {"-V,--device_cta_count", 16, "-V belongs to -D, which sxbench does not have",
     "leave -V out; the environment of the ranks may set NCCL_MAX_CTAS (\"nccl_env\" of the cluster config)"},
    {"-M,--memory", 0, "the text has no line of memory use",
     "leave -M out; the samples of the run hold each GPU's memory"},
};

/// A rank, or "all" for -1.
CLI::Option* add_root(CLI::App& verb, int& target) {
  const auto read = [&target](const CLI::results_t& words) {
    if (words.front() == "all") {
      target = -1;
      return true;
    }
    const std::string& word = words.front();
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), target);
    if (error == std::errc{} && end == word.data() + word.size() && target >= 0) return true;
    throw CLI::ValidationError("-r,--root", fmt::format("\"{}\" is neither a rank nor \"all\"", word));
  };
  return verb
      .add_option("-r,--root", read, "root of broadcast, reduce, gather, scatter: a rank, or all (default 0)")
      ->type_name("RANK")
      ->expected(1);
}

void add_foreign(CLI::App& verb, Errors& errors) {
  for (const Foreign& flag : kForeign) {
    const auto read = [&flag, &errors](const CLI::results_t& words) {
      if (words.front() == std::to_string(flag.harmless)) return true;
      const std::string letter = std::string(flag.names).substr(0, 2);
      errors.push_back({flag.what, letter + " " + words.front(), flag.help});
      return true;
    };
    verb.add_option(flag.names, read, "")->expected(1)->group("");  // not in the help
  }
}

/// nccl-tests' file and scale for alltoallv.
struct MatrixFlags {
  std::string file;
  double scale = 1;
};

void add_matrix_flags(CLI::App& verb, MatrixFlags& flags) {
  path_option(verb.add_option(
                  "--alltoallv-matrix", flags.file,
                  "alltoallv: a file with a row for each rank, the bytes that it sends to each; instead of "
                  "sizes"))
      ->type_name("FILE")
      ->envname("NCCL_TESTS_ALLTOALLV_MATRIX_FILE")
      ->group(kWhat);
  verb.add_option("--alltoallv-matrix-scale", flags.scale, "times this (default 1)")
      ->check(CLI::NonNegativeNumber)
      ->envname("NCCL_TESTS_ALLTOALLV_MATRIX_SCALE")
      ->group(kWhat);
}

/// The variable may be there for another sweep of the same script; the flag is meant.
void read_matrix(const MatrixFlags& matrix, Flags& flags) {
  if (matrix.file.empty()) return;
  const auto takes_it = [](const std::string& name) {
    return name == "all" || name.starts_with("alltoallv");
  };
  if (std::none_of(flags.collectives.begin(), flags.collectives.end(), takes_it)) {
    if (std::getenv("NCCL_TESTS_ALLTOALLV_MATRIX_FILE") != nullptr) return;
    flags.errors.push_back({"a traffic matrix is for alltoallv, which is not in the sweep",
                            "--alltoallv-matrix",
                            "write sxbench nccl alltoallv --alltoallv-matrix " + matrix.file});
    return;
  }
  const Result<std::string> text = read_input(matrix.file);
  const Result<plan::TrafficMatrix> read = text.ok()
                                               ? plan::parse_traffic_matrix(*text, matrix.file, matrix.scale)
                                               : Result<plan::TrafficMatrix>(text.errors());
  if (read.ok()) flags.matrix = *read;
  for (const Error& error : read.errors()) flags.errors.push_back(error);
}

struct Sizes {
  CLI::Option *max_bytes, *factor, *step;
};

Sizes add_size_flags(CLI::App& verb, plan::CollectiveSweep& sweep) {
  size_option(verb, "-b,--minbytes", sweep.min_bytes, "smallest size (default 8)")->group(kSizes);
  Sizes sizes{};
  sizes.max_bytes =
      size_option(verb, "-e,--maxbytes", sweep.max_bytes, "largest size (default 8G on GPUs, 4M on the CPU)")
          ->group(kSizes);
  sizes.factor = verb.add_option("-f,--stepfactor", sweep.step_factor,
                                 "each size is the one before times this (default 2)")
                     ->group(kSizes);
  sizes.step = size_option(verb, "-i,--stepbytes", sweep.step_bytes,
                           "each size is the one before plus this; not with -f")
                   ->group(kSizes);
  return sizes;
}

void add_sweep_flags(CLI::App& verb, plan::CollectiveSweep& sweep) {
  const auto add = [&](const char* group, const char* names, auto& target, const char* description) {
    return verb.add_option(names, target, description)->group(group);
  };
  add(kWhat, "-d,--datatype", sweep.dtype,
      "int8, uint8, int32, uint32, int64, uint64, half, float, double, bfloat16, f8e4m3, f8e5m2 or all "
      "(default float)");
  add(kWhat, "-o,--op", sweep.redop, "sum, prod, min, max, avg, mulsum or all (default sum)");
  add_root(verb, sweep.root)->group(kWhat);
  add(kWhat, "--split", sweep.split,
      "groups of ranks that run at the same time, a row each: rails, nodes, pairs, or \"MOD 8\", \"DIV 8\", "
      "\"AND 0x7\", \"OR 0x7\" of the rank")
      ->envname("NCCL_TESTS_SPLIT");
  add(kWhat, "--alltoallv-spread", sweep.spread,
      "alltoallv: 0 = equal parts to all peers ... 1 = more to distant ones (default 1)")
      ->envname("NCCL_TESTS_ALLTOALLV_SPREAD");
  add(kWhat, "-u,--unalign", sweep.unalign, "elements by which the buffers are shifted (default 0)");

  add(kHow, "-n,--iters", sweep.iterations, "timed iterations (default 20)");
  add(kHow, "-m,--agg_iters", sweep.agg_iterations, "calls in one group per iteration (default 1)");
  add(kHow, "-w,--warmup_iters", sweep.warmup, "iterations before (default 5)");
  add(kHow, "-c,--check", sweep.check, "checks of each result; 0 = none (default 1)");
  add(kHow, "-z,--blocking", sweep.blocking,
      "1 = wait and barrier after each call, 2 = wait only, 3 = both after each iteration, barrier untimed");
  add(kHow, "-G,--cudagraph", sweep.graph_launches, "capture the iterations and launch the graph so often");
  add(kHow, "-a,--average", sweep.average,
      "time of a row: 0 = rank 0, 1 = mean, 2 = smallest, 3 = largest over the ranks (default 3)");
  add(kHow, "-T,--timeout", sweep.timeout_s, "seconds after which a collective counts as hung");

  add(kNccl, "-R,--local_register", sweep.registration, "buffers: 1 = registered, 2 = symmetric windows");
  add(kNccl, "-x,--cta_policy", sweep.cta_policy,
      "0 = default, 1 = efficiency, 2 = zero CTA (default: not set)");

  add(kPrinted, "-I,--per_iter_timing", sweep.per_iteration,
      "1 = columns of single iterations (they are measured and recorded in any case)");
  add(kPrinted, "-K,--per_iter_skip", sweep.per_iteration_skip,
      "iterations that these leave out (default 0)");
  add(kPrinted, "-S,--report_timestamps", sweep.timestamps, "1 = a column with the time of day");
}

/// What only the flags know; the rest is plan::validate()'s.
void check_flags(const Sizes& sizes, Flags& flags) {
  flags.max_bytes_given = sizes.max_bytes->count() > 0;
  if (sizes.step->count() > 0 && sizes.factor->count() > 0 && flags.sweep.step_factor > 1) {
    flags.errors.push_back({"the sizes grow by a factor or by a step, not by both", "-f -i",
                            "give -f or -i; nccl-tests takes -f where both are given"});
  }
  if (sizes.step->count() > 0 && flags.sweep.step_bytes == 0) {
    flags.errors.push_back({"a step of 0 never reaches the largest size", "-i",
                            "write e.g. -i 1M, or leave -i out: the sizes then double"});
  }
  const char* mask = std::getenv("NCCL_TESTS_SPLIT_MASK");
  if (flags.sweep.split.empty() && mask != nullptr && *mask != '\0') {
    const std::string hex = mask;  // nccl-tests reads it as hexadecimal, with or without 0x
    flags.sweep.split = "AND " + (hex.starts_with("0x") || hex.starts_with("0X") ? hex : "0x" + hex);
  }
  if (!flags.json_file.empty() && std::filesystem::path(flags.json_file).extension() != ".json") {
    flags.errors.push_back({fmt::format("\"{}\" does not end in .json", flags.json_file), "-J",
                            "name a file such as out.json; reports/ has CSV, Markdown and nccl-tests' text"});
  }
  // Seen before the sweep, not after it. Some room is for the number of a further file and a temporary name.
  constexpr std::size_t kLongestName = 220;
  if (const std::size_t length = std::filesystem::path(flags.json_file).filename().string().size();
      length > kLongestName) {
    flags.errors.push_back(
        {fmt::format("the name of the file has {} bytes, {} are possible", length, kLongestName), "-J",
         "give it a shorter name"});
  }
}

}  // namespace

void add_nccl(CLI::App& app, ExitCode& result) {
  CLI::App* verb =
      app.add_subcommand("nccl", "Sweep collectives over sizes, with the flags and text of nccl-tests");
  verb->footer(
      "Examples:\n"
      "  sxbench nccl                                         all_reduce on all nodes, 8 B to 8 GiB (4 MiB "
      "on CPUs)\n"
      "  sxbench nccl all_gather --nodes 1,2,4 --cluster cluster.json\n"
      "  sxbench nccl --collectives all -b 1M -e 1G -f 4\n"
      "  sxbench nccl -n 50 -d bfloat16 -R 2                  symmetric windows\n"
      "  sxbench nccl alltoall --nodes 8 --split rails        each rail by itself, one row per rail\n"
      "  sxbench nccl -I 1 -J out.json                        per-iteration columns, JSON as nccl-tests "
      "writes it\n"
      "docs/nccl.md compares every flag and figure with nccl-tests.");
  auto flags = std::make_shared<Flags>();
  flags->phases = "nccl,report";
  add_collectives_flag(*verb, *flags, true);
  auto matrix = std::make_shared<MatrixFlags>();
  const Sizes sizes = add_size_flags(*verb, flags->sweep);
  add_sweep_flags(*verb, flags->sweep);
  add_matrix_flags(*verb, *matrix);
  path_option(verb->add_option("-J,--output_file", flags->json_file,
                               "write JSON as nccl-tests does (name ends in .json)"))
      ->type_name("FILE")
      ->group(kPrinted);
  verb->add_option("--repeats", flags->repeats, "how often each sweep runs (default 1)")
      ->check(between(1, 1000))
      ->group(kHow);
  add_foreign(*verb, flags->errors);
  add_place_flags(*verb, *flags);
  add_conduct_flags(*verb, *flags);
  verb->callback([flags, matrix, sizes, &result] {
    check_flags(sizes, *flags);
    read_matrix(*matrix, *flags);
    const std::optional<Request> request = resolve_or_explain(*flags, result);
    if (!request) return;
    NcclProgress display;
    result = perform(*request, *flags, display);
  });
}

}  // namespace sxb::cli
