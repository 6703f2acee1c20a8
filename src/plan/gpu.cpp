#include "plan/gpu.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "base/units.h"
#include "config/reader.h"

namespace sxb::plan {
namespace {

using config::ObjectReader;

constexpr std::int64_t kLeastSuiteBytes = kMiB, kMostSuiteBytes = 64 * kGiB;
constexpr int kMostRuns = 10'000;
constexpr int kLongestBurn_s = 7 * 24 * 3600;
constexpr int kMostStreams = 32;
constexpr std::int64_t kLeastSize = 64, kMostSize = 65'536, kSizeStep = 16;
constexpr std::int64_t kGpuSize = 8192, kCpuSize = 512;
/// The largest need of a micro-benchmark: triad holds three buffers of twice the size.
constexpr std::int64_t kBuffers = 6;

struct Precision {
  const char* name;
  ElementBytes bytes;
};
constexpr Precision kPrecisions[] = {{"bf16", {2, 2}}, {"fp16", {2, 2}}, {"fp8", {1, 2}},
                                     {"tf32", {4, 4}}, {"fp32", {4, 4}}, {"fp64", {8, 8}}};

void add_name_error(const char* flag, const std::string& value, const std::vector<std::string>& known,
                    Errors& errors) {
  if (std::find(known.begin(), known.end(), value) != known.end()) return;
  errors.push_back({fmt::format("\"{}\" is unknown here", value), flag, suggest(value, known)});
}

}  // namespace

const std::vector<GpuTest>& gpu_tests() {
  static const std::vector<GpuTest> tests = {
      {"gemm", false, "matrix products in BF16, FP16, TF32, FP32, FP64 and FP8 (cuBLASLt)"},
      {"gemm_max", false, "the shape of the fastest BF16 and FP8 product"},
      {"hbm", false, "copy, triad, read and write in the GPU's memory"},
      {"host_device", false, "copies between pinned host memory and the GPU, one way and both ways"},
      {"p2p", false, "copies between each two GPUs of a node, one way and both ways, read and write"},
      {"latency", false, "kernel launch, and one load from host memory and from each peer GPU"},
      {"attention", false, "attention of the 7B shape, forward and backward"},
      {"host_gemm", true, "FP32 matrix product on the CPU cores of a rank"},
      {"host_memory", true, "copy and triad in the host memory of a rank"},
  };
  return tests;
}

Json to_json(const GpuSuite& suite) {
  return {{"tests", suite.tests},
          {"bytes", suite.bytes},
          {"min_runs", suite.min_runs},
          {"max_runs", suite.max_runs}};
}

Result<GpuSuite> parse_gpu_suite(const Json& json, const std::string& where) {
  Errors errors;
  GpuSuite suite;
  ObjectReader reader(json, where, "", errors);
  if (const Json* tests = reader.find("tests"); tests != nullptr) {
    const bool texts = tests->is_array() && std::all_of(tests->begin(), tests->end(),
                                                        [](const Json& test) { return test.is_string(); });
    if (texts) {
      suite.tests = tests->get<std::vector<std::string>>();
    } else {
      reader.error("tests", "not an array of names", "write e.g. [\"gemm\", \"hbm\"]");
    }
  }
  reader.integer("bytes", suite.bytes, 0, kMostSuiteBytes);
  reader.integer("min_runs", suite.min_runs, 1, kMostRuns);
  reader.integer("max_runs", suite.max_runs, 1, kMostRuns);
  reader.finish();
  if (!errors.empty()) return errors;
  return suite;
}

Json to_json(const Burn& burn) {
  return {{"duration_s", burn.duration_s},
          {"streams", burn.streams},
          {"precision", burn.precision},
          {"size", burn.size},
          {"memory_pct", burn.memory_pct}};
}

Result<Burn> parse_burn(const Json& json, const std::string& where) {
  Errors errors;
  Burn burn;
  ObjectReader reader(json, where, "", errors);
  reader.integer("duration_s", burn.duration_s, 1, kLongestBurn_s);
  reader.integer("streams", burn.streams, 1, kMostStreams);
  reader.text("precision", burn.precision);
  reader.integer("size", burn.size, 0, kMostSize);
  reader.integer("memory_pct", burn.memory_pct, 1, 100);
  reader.finish();
  if (!errors.empty()) return errors;
  return burn;
}

Burn resolve_burn(Burn burn, bool cuda) {
  if (burn.precision.empty()) burn.precision = cuda ? "bf16" : "fp32";
  if (burn.size == 0) burn.size = cuda ? kGpuSize : kCpuSize;
  return burn;
}

ElementBytes element_bytes(const std::string& precision) {
  for (const Precision& known : kPrecisions) {
    if (precision == known.name) return known.bytes;
  }
  return {};
}

Errors check_gpu_suite(const GpuSuite& suite, std::int64_t rank_bytes) {
  Errors errors;
  std::vector<std::string> names;
  for (const GpuTest& test : gpu_tests()) names.emplace_back(test.name);
  for (const std::string& test : suite.tests) add_name_error("--tests", test, names, errors);
  if (suite.bytes < kLeastSuiteBytes || suite.bytes > kMostSuiteBytes) {
    errors.push_back({fmt::format("a buffer of {} is not between {} and {}", format_bytes(suite.bytes),
                                  format_bytes(kLeastSuiteBytes), format_bytes(kMostSuiteBytes)),
                      "--size", "write e.g. --size 512M"});
  } else if (rank_bytes > 0 && kBuffers * suite.bytes > rank_bytes) {
    errors.push_back({fmt::format("{} buffers of {} are needed at a time, a rank has {}", kBuffers,
                                  format_bytes(suite.bytes), format_bytes(rank_bytes)),
                      "--size", fmt::format("use --size {}M or less", rank_bytes / kBuffers / kMiB)});
  }
  if (suite.min_runs < 1 || suite.max_runs < suite.min_runs || suite.max_runs > kMostRuns) {
    errors.push_back({fmt::format("{} runs at most, {} at least", suite.max_runs, suite.min_runs), "--runs",
                      "write e.g. --runs 50"});
  }
  return errors;
}

Errors check_burn(const Burn& burn, bool cuda, std::int64_t rank_bytes) {
  Errors errors;
  if (burn.duration_s < 1 || burn.duration_s > kLongestBurn_s) {
    errors.push_back({fmt::format("{} s is not between 1 s and {} s", burn.duration_s, kLongestBurn_s),
                      "--duration", "write e.g. --duration 60s, 30m or 12h"});
  }
  if (burn.streams < 1 || burn.streams > kMostStreams) {
    errors.push_back({fmt::format("{} streams are not between 1 and {}", burn.streams, kMostStreams),
                      "--streams", "use e.g. --streams 4"});
  }
  if (burn.memory_pct < 1 || burn.memory_pct > 95) {
    errors.push_back({fmt::format("{} % of the memory is not between 1 and 95", burn.memory_pct), "--memory",
                      "use e.g. --memory 80: the driver and the library need the rest"});
  }
  std::vector<std::string> names;
  for (const Precision& known : kPrecisions) names.emplace_back(known.name);
  add_name_error("--precision", burn.precision, names, errors);
  if (!cuda && errors.empty() && burn.precision != "fp32") {
    errors.push_back({fmt::format("CPU ranks do not burn in {}", burn.precision), "--precision",
                      "use --precision fp32, or --device cuda on a machine with GPUs"});
  }
  if (burn.size < kLeastSize || burn.size > kMostSize || burn.size % kSizeStep != 0) {
    errors.push_back({fmt::format("matrices of {} rows: a multiple of {} between {} and {} is needed",
                                  burn.size, kSizeStep, kLeastSize, kMostSize),
                      "--size", fmt::format("use e.g. --size {}", cuda ? kGpuSize : kCpuSize)});
  }
  if (!errors.empty()) return errors;
  const ElementBytes bytes = element_bytes(burn.precision);
  // A and B, and per stream the first result and one to compare with it.
  const std::int64_t need = burn.size * burn.size * (2 * bytes.in + 2 * burn.streams * bytes.out);
  if (rank_bytes > 0 && need > rank_bytes) {
    errors.push_back(
        {fmt::format("{} streams of {} x {} matrices in {} need {}, a rank has {}", burn.streams, burn.size,
                     burn.size, burn.precision, format_bytes(need), format_bytes(rank_bytes)),
         "--size", "use a smaller --size or fewer --streams"});
  }
  return errors;
}

}  // namespace sxb::plan
