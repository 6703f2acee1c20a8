// What gpu and burn show while they work, and their tables.
#include <fmt/format.h>

#include <algorithm>

#include "analysis/gpu/gpu_groups.h"
#include "cli/ui/progress.h"
#include "record/kinds/gpu.h"
#include "record/typed.h"

namespace sxb::cli {
namespace {

void print_figures(const analysis::GpuBenchRecords& records) {
  const auto figures = analysis::fold_figures(records);
  if (!figures.empty()) {
    print_out("{:<22} {:<34} {:>7} {:>10} {:>10} {:>10}  {:<8} {}\n", "figure", "of", "devices", "median",
              "least", "most", "unit", "wrong");
  }
  for (const analysis::GpuFigure& figure : figures) {
    const std::string of = figure.group == "gemm_max" ? figure.most().shape : figure.shape;
    print_out("{:<22} {:<34} {:>7} {:>10.4g} {:>10.4g} {:>10.4g}  {:<8} {}\n", figure.test, of,
              figure.values.size(), figure.median, figure.least().value, figure.most().value, figure.metric,
              figure.checked() ? fmt::format("{:g}", figure.wrong()) : "-");
    for (const stats::Outlier& outlier : figure.slow) {
      print_out("  slow: {}, {:.1f} % below the median\n", figure.values[outlier.index].name(),
                -100 * outlier.deviation);
    }
  }
  for (const analysis::Waived& waived : analysis::fold_waived(records)) {
    print_out("{:<22} waived: {}\n", waived.test, waived.why);
  }
}

}  // namespace

void GpuProgress::task_started(const plan::Task& task, int index, int total, int attempt) {
  Progress::task_started(task, index, total, attempt);
  records_.clear();
}

void GpuProgress::record(const plan::Task& task, const record::Record& record) {
  Progress::record(task, record);
  if (record.kind == record::kind::kGpuBench)
    records_.push_back(analysis::read_typed<record::GpuBench>(record));
}

void GpuProgress::task_ended(const plan::Task& task, const launch::TaskOutcome& outcome) {
  terminal_.clear();
  analysis::GpuBenchRecords records;
  for (const auto& record : records_) records.push_back(&record);
  print_figures(records);
  Progress::task_ended(task, outcome);
}

void BurnProgress::task_started(const plan::Task& task, int index, int total, int attempt) {
  Progress::task_started(task, index, total, attempt);
  devices_.clear();
}

void BurnProgress::record(const plan::Task& task, const record::Record& record) {
  Progress::record(task, record);
  if (record.kind != record::kind::kBurn) return;
  const auto burn = record::read<record::Burn>(record);
  Device& device = devices_[record.rank];
  device.node = record.node;
  device.gpu = burn.gpu.value_or(-1);
  device.tflops = burn.tflops.value_or(0);
  device.mismatches = static_cast<double>(burn.mismatches.value_or(0));
  const double span = burn.span_s.value_or(0);
  device.span_s += span;
  device.work += device.tflops * span;
  double sum = 0, least = device.tflops, mismatches = 0;
  for (const auto& [rank, one] : devices_) {
    sum += one.tflops;
    least = std::min(least, one.tflops);
    mismatches += one.mismatches;
  }
  show(task, fmt::format("{} of {} s  {} devices  {:.4g} TFLOP/s in all, least {:.4g}  {:g} mismatches",
                         format_fixed(burn.second.value_or(0), 0), task.burn.duration_s, devices_.size(), sum,
                         least, mismatches));
}

void BurnProgress::task_ended(const plan::Task& task, const launch::TaskOutcome& outcome) {
  terminal_.clear();
  double sum = 0;
  if (!devices_.empty()) print_out("{:<28} {:>10} {:>11}\n", "device", "TFLOP/s", "mismatches");
  for (const auto& [rank, device] : devices_) {
    const double tflops = device.span_s > 0 ? device.work / device.span_s : 0;
    sum += tflops;
    const std::string name = device.gpu < 0 ? fmt::format("{} rank {}", device.node, rank)
                                            : fmt::format("{} GPU {}", device.node, device.gpu);
    print_out("{:<28} {:>10.4g} {:>11g}\n", name, tflops, device.mismatches);
  }
  if (devices_.size() > 1) print_out("{:<28} {:>10.4g}\n", "all", sum);
  Progress::task_ended(task, outcome);
}

}  // namespace sxb::cli
