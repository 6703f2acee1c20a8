// What NVML and GPM saw of each GPU while a fine-tuning task was measured.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "base/units.h"
#include "report/document/format.h"
#include "report/sections/sections.h"

namespace sxb::report {
namespace {

using analysis::Analysis;
using analysis::GpuMetric;
using analysis::GpuUse;
using analysis::SftGroup;
using analysis::SftTask;

void add_gpu_rows(const SftGroup& group, const SftTask& item, Table& table) {
  for (const GpuUse& use : item.samples.gpus) {
    std::optional<double> memory = use.memory_max_bytes;
    if (memory) *memory /= static_cast<double>(kGiB);
    std::string task = group_label(group);
    if (group.tasks.size() > 1) task += fmt::format(", repeat {}", item.task->repeat + 1);
    table.rows.push_back(
        {task, use.node, std::to_string(use.gpu), std::to_string(use.samples),
         cell(use.util_pct, record::Hint::kPercent), cell(use.sm_active_pct, record::Hint::kPercent),
         cell(use.tensor_active_pct, record::Hint::kPercent),
         cell(use.dram_active_pct, record::Hint::kPercent), cell(use.power_w), cell(use.power_max_w),
         cell(use.sm_mhz, record::Hint::kCount), cell(use.temp_max_c, record::Hint::kCount), cell(memory),
         cell(use.nvlink_tx_gBps), use.throttle.empty() ? "–" : throttle_text(use)});
  }
}

}  // namespace

std::string throttle_text(const GpuUse& use) {
  std::vector<std::string> parts;
  for (const auto& [reason, share] : use.throttle)
    parts.push_back(fmt::format("{} {:.0f} %", reason, share * 100));
  return join(parts, ", ");
}

bool has_gpu_use(const Analysis& analysis) {
  return std::any_of(analysis.sft.begin(), analysis.sft.end(), [](const SftGroup& group) {
    return std::any_of(group.tasks.begin(), group.tasks.end(),
                       [](const SftTask& item) { return !item.samples.gpus.empty(); });
  });
}

void add_gpu_use(const Analysis& analysis, Document& document) {
  Table table{{{"Task"},
               {"Node"},
               {"GPU", true},
               {"Samples", true},
               {"Use (%)", true},
               {"SM (%)", true},
               {"Tensor (%)", true},
               {"DRAM (%)", true},
               {"Power (W)", true},
               {"Max power (W)", true},
               {"SM clock (MHz)", true},
               {"Max temp (°C)", true},
               {"Max memory (GiB)", true},
               {"NVLink tx (GB/s)", true},
               {"Clock limited by"}},
              {}};
  for (const SftGroup& group : analysis.sft) {
    for (const SftTask& item : group.tasks) add_gpu_rows(group, item, table);
  }
  constexpr std::size_t kRows = 64;
  const std::size_t all = table.rows.size();
  if (all > kRows) table.rows.resize(kRows);
  document.add(std::move(table));
  if (all > kRows)
    document.add(
        Paragraph{fmt::format("The first {} of {} rows; all are in `sft_metrics.json`.", kRows, all)});
  document.add(Paragraph{
      "Means over the samples inside the measured window; the clock is the median. \"Use\" is NVML's coarse "
      "figure, which counts a spinning communication kernel as work: SM, tensor and DRAM activity say what "
      "the GPU did."});
  for (Figure figure :
       {Figure{"gpu_power", gpu_chart(analysis, GpuMetric::kPower, "GPU power, mean over the GPUs", "W")},
        Figure{"gpu_use",
               gpu_chart(analysis, GpuMetric::kUtil, "GPU use (NVML), mean over the GPUs", "%")}}) {
    if (!is_empty(figure.chart)) document.add(std::move(figure));
  }
}

}  // namespace sxb::report
