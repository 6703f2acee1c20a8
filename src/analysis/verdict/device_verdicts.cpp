// What GPU micro-benchmarks and burns have to show: right data, no slow device, no growth of memory.
#include <fmt/format.h>

#include "analysis/verdict/verdicts.h"
#include "base/text.h"
#include "base/units.h"

namespace sxb::analysis {
namespace {

/// Buffers of libraries may still come in the first seconds; what leaks grows beyond.
constexpr double kMostGrowthBytes = 64.0 * static_cast<double>(kMiB);
constexpr const char* kFleet = ">= 95 % of the fleet's median";

Verdict fleet_verdict(std::string item, const std::vector<std::string>& slow, bool cuda, bool mixed,
                      std::size_t devices) {
  Verdict verdict{std::move(item), kFleet, "", Mark::kPass, "slow: 5 % and 3.5 sigma below the median"};
  if (!cuda) {
    verdict.mark = Mark::kNotJudged;
    verdict.note = "CPU ranks share their cores with whatever else runs";
  } else if (mixed) {
    verdict.mark = Mark::kNotJudged;
    verdict.note = "GPUs of more than one type have no median to stand off from";
  } else if (devices < kLeastFleet) {
    verdict.mark = Mark::kNotJudged;
    verdict.note = fmt::format("{} GPUs: a fleet of {} has a median to stand off from", devices, kLeastFleet);
  } else if (slow.empty()) {
    verdict.achieved = "no slow GPU";
  } else {
    verdict.achieved = join(slow, "; ");
    verdict.mark = Mark::kFail;
  }
  return verdict;
}

void judge_suite(const GpuGroup& group, std::vector<Verdict>& out) {
  const std::string what = "GPU micro-benchmarks on " + on_nodes(group.nodes);
  double wrong = 0;
  std::size_t devices = 0;
  std::vector<std::string> slow;
  for (const GpuFigure& figure : group.figures) {
    wrong += figure.wrong();
    devices = std::max(devices, figure.values.size());
    for (const stats::Outlier& outlier : figure.slow) {
      slow.push_back(fmt::format("{}: {} of {} {:.1f} % below", figure.values[outlier.index].name(),
                                 figure.test, figure.shape, -100 * outlier.deviation));
    }
  }
  if (group.figures.empty()) return;
  out.push_back({"Data check, " + what, "0 wrong elements", fmt::format("{:g} wrong elements", wrong),
                 wrong == 0 ? Mark::kPass : Mark::kFail, ""});
  out.push_back(fleet_verdict("Slow GPUs, " + what, slow, group.cuda, group.mixed, devices));
}

void judge_burn(const BurnTask& burn, std::vector<Verdict>& out) {
  if (burn.gpus.empty()) return;
  const std::string what = "burn " + burn.label();
  double mismatches = 0;
  std::vector<std::string> slow, faulty, grown;
  double most_growth = 0;
  bool measured = true;
  for (const BurnGpu& gpu : burn.gpus) {
    mismatches += gpu.mismatches;
    if (gpu.mismatches > 0) faulty.push_back(gpu.name());
    if (gpu.slow) {
      slow.push_back(fmt::format("{}: {:.1f} TFLOP/s, {:.1f} % below", gpu.name(), gpu.tflops,
                                 100 * gpu.below.value_or(0)));
    }
    measured = measured && gpu.memory_growth_bytes.has_value();
    most_growth = std::max(most_growth, gpu.memory_growth_bytes.value_or(0));
    if (gpu.memory_growth_bytes.value_or(0) > kMostGrowthBytes) grown.push_back(gpu.name());
  }
  out.push_back({"Repeated results, " + what, "0 mismatches", fmt::format("{:g} mismatches", mismatches),
                 mismatches == 0 ? Mark::kPass : Mark::kFail, join(faulty, ", ")});
  out.push_back(fleet_verdict("Slow GPUs, " + what, slow, burn.cuda, burn.mixed, burn.gpus.size()));
  const auto bytes = [](double value) { return format_bytes(static_cast<std::int64_t>(value)); };
  Verdict growth{"Memory growth, " + what, "<= " + bytes(kMostGrowthBytes), bytes(most_growth),
                 grown.empty() ? Mark::kPass : Mark::kFail, join(grown, ", ")};
  if (!measured) growth.mark = Mark::kNotMeasured, growth.achieved = "";
  out.push_back(std::move(growth));
}

}  // namespace

std::vector<Verdict> judge_devices(const std::vector<GpuGroup>& gpu, const std::vector<BurnTask>& burns) {
  std::vector<Verdict> verdicts;
  for (const GpuGroup& group : gpu) judge_suite(group, verdicts);
  for (const BurnTask& burn : burns) judge_burn(burn, verdicts);
  return verdicts;
}

}  // namespace sxb::analysis
