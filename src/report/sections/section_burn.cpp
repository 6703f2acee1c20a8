// Burns: each GPU against the fleet, and its TFLOP/s over time.
#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "base/text.h"
#include "base/units.h"
#include "report/document/format.h"
#include "report/sections/sections.h"

namespace sxb::report {
namespace {

using analysis::BurnGpu;
using analysis::BurnSecond;
using analysis::BurnTask;

/// More lines cannot be told apart: then the extremes and the slow ones.
constexpr std::size_t kMostLines = 16;
constexpr std::size_t kMostRows = 64;

std::string bytes_cell(const std::optional<double>& bytes) {
  return bytes ? format_bytes(static_cast<std::int64_t>(*bytes)) : "–";
}

std::vector<std::string> row_of(const BurnGpu& gpu) {
  const auto of_use = [&](std::optional<double> analysis::GpuUse::*member) {
    return gpu.use ? cell((*gpu.use).*member) : std::string("–");
  };
  return {gpu.name() + (gpu.slow ? " SLOW" : ""),
          sensible(gpu.tflops),
          sensible(gpu.least_tflops),
          gpu.below ? fmt::format("{:+.1f}", 100 * (0 - *gpu.below)) : "–",
          fmt::format("{:g}", gpu.mismatches),
          of_use(&analysis::GpuUse::power_w),
          of_use(&analysis::GpuUse::sm_mhz),
          of_use(&analysis::GpuUse::temp_max_c),
          gpu.use ? throttle_text(*gpu.use) : "–",
          gpu.seconds.empty() ? "–" : bytes_cell(gpu.seconds.front().memory_bytes),
          gpu.seconds.empty() ? "–" : bytes_cell(gpu.seconds.back().memory_bytes)};
}

/// All, in their order; of a large fleet the slow ones and the slowest of the others, these first.
std::vector<const BurnGpu*> gpus_in_table(const BurnTask& burn) {
  std::vector<const BurnGpu*> gpus;
  for (const BurnGpu& gpu : burn.gpus) gpus.push_back(&gpu);
  if (gpus.size() <= kMostRows) return gpus;
  std::stable_sort(gpus.begin(), gpus.end(), [](const BurnGpu* a, const BurnGpu* b) {
    const auto rank = [](const BurnGpu& gpu) {
      return std::tuple(gpu.mismatches == 0, !gpu.slow, gpu.tflops);
    };
    return rank(*a) < rank(*b);
  });
  gpus.resize(kMostRows);
  return gpus;
}

LineChart chart_of(const BurnTask& burn) {
  LineChart chart{
      fmt::format("Burn {}: TFLOP/s of each device", burn.label()), "s", "TFLOP/s", false, true, {}};
  std::vector<const BurnGpu*> lines;
  for (const BurnGpu& gpu : burn.gpus) lines.push_back(&gpu);
  if (lines.size() > kMostLines) {
    std::stable_sort(lines.begin(), lines.end(),
                     [](const BurnGpu* a, const BurnGpu* b) { return a->tflops < b->tflops; });
    lines = {lines.front(), lines[1], lines[lines.size() / 2], lines.back()};
  }
  for (const BurnGpu* gpu : lines) {
    Series series{gpu->name(), {}};
    for (const BurnSecond& second : gpu->seconds) series.points.emplace_back(second.second, second.tflops);
    series.points = thin(series.points, 300);
    chart.series.push_back(std::move(series));
  }
  return chart;
}

void add_burn(const BurnTask& burn, std::size_t index, Document& document) {
  document.add(Heading{3, fmt::format("{}, {} s", burn.label(), burn.duration_s)});
  if (burn.gpus.empty()) {
    document.add(Paragraph{fmt::format("No result: {}.", burn.task->reason())});
    return;
  }
  std::string facts =
      fmt::format("{} x {} matrices, {} streams; {} {}: {} TFLOP/s in all, median {} per {}.", burn.size,
                  burn.size, burn.streams, burn.gpus.size(), burn.cuda ? "GPUs" : "CPU ranks",
                  sensible(burn.total_tflops), sensible(burn.median_tflops), burn.cuda ? "GPU" : "rank");
  if (!burn.cuda) facts += " CPU ranks: this says nothing about a GPU.";
  document.add(Paragraph{facts});
  if (!burn.ok()) document.add(Notice{burn.task->reason()});
  Table table{{{"Device"},
               {"TFLOP/s", true},
               {"Least second", true},
               {"Against the median (%)", true},
               {"Mismatches", true},
               {"Power (W)", true},
               {"SM clock (MHz)", true},
               {"Hottest (°C)", true},
               {"Held down by"},
               {"Memory at the start", true},
               {"At the end", true}},
              {}};
  if (burn.gpus.size() > kMostRows) {
    document.add(
        Paragraph{fmt::format("The slowest {} of {}; `burn.csv` has all:", kMostRows, burn.gpus.size())});
  }
  for (const BurnGpu* gpu : gpus_in_table(burn)) table.rows.push_back(row_of(*gpu));
  document.add(std::move(table));
  Figure figure{index == 0 ? "burn" : fmt::format("burn_{}", index + 1), chart_of(burn)};
  if (!is_empty(figure.chart)) document.add(std::move(figure));
}

}  // namespace

void add_burns(const analysis::Analysis& analysis, Document& document) {
  document.add(
      Paragraph{"All devices at once multiply the same matrices over and over and compare every result with "
                "the first, bit for "
                "bit. TFLOP/s include the comparison. Power, clock and temperature are those of the samples; "
                "all seconds of all "
                "devices: `burn.csv`."});
  for (std::size_t i = 0; i < analysis.burns.size(); ++i) add_burn(analysis.burns[i], i, document);
}

}  // namespace sxb::report
