#include "analysis/compare/comparison_points.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "analysis/read/json_read.h"
#include "base/text.h"
#include "base/units.h"

namespace sxb::analysis {
namespace {

using stats::Repeat;

// ---- fine-tuning

/// Which rows a step takes follows from this and its number, as far as its tokens do not tell.
std::string rows_of(const TaskData& task) {
  const record::Training& training = task.last<record::Training>();
  if (training.dataset_hash.empty()) return "";
  return fmt::format("{} {} {} {}", training.dataset_hash, task.world(), training.micro_batch.value_or(0),
                     training.grad_accumulation.value_or(0));
}

void add_repeat(const TaskData& task, Point& throughput, Point& step_time) {
  const MeasuredSteps steps = measured_steps(task);
  if (steps.time_ms.empty()) return;
  const double noise = stats::kMadToSigma * stats::mad(steps.time_ms) / stats::median(steps.time_ms);
  step_time.work = stats::median(steps.tokens);
  for (const auto& [point, repeat] : {std::pair{&throughput, tokens_per_s_and_rank(task, Rows::kOthers)},
                                      {&step_time, step_time_ms(task)}}) {
    if (!repeat) continue;
    point->steps.reset();
    if (point->repeats.empty()) point->steps = RowSteps{rows_of(task), steps};
    point->repeats.push_back(*repeat);
    point->within.push_back(noise);
  }
}

void add_sft(const SftGroup& group, PointSet& points) {
  Point throughput;
  throughput.section = "sft";
  throughput.series = fmt::format("{} on {}", group.model, on_nodes(group.nodes));
  throughput.sample = "steps";
  if (group.implausible) {
    throughput.disbelief = "IMPLAUSIBLE: above a physical limit (see the speed-of-light check of its report)";
  }
  Point step_time = throughput;
  throughput.figure = "tokens/s/GPU";
  throughput.unit = "1/s";
  step_time.figure = "step time";
  step_time.unit = "ms";
  step_time.higher_is_better = false;
  for (const SftTask& item : group.tasks) {
    throughput.task = step_time.task = item.task->label;
    if (item.task->status() == TaskStatus::kOk) add_repeat(*item.task, throughput, step_time);
  }
  points.add(std::move(throughput));
  points.add(std::move(step_time));
}

// ---- collectives

/// Where nccl-tests' users look at the bandwidth; below it, at the latency.
constexpr std::int64_t kBandwidthFrom = kMiB;

/// Settings of a sweep under which times mean something else; the usual ones are not in the plan.
std::string variant_of(const TaskData& task) {
  std::vector<std::string> parts;
  const Json& sweep = member(task.plan, "sweep");
  for (const char* key : {"agg_iterations", "average", "blocking", "graph_launches", "registration",
                          "cta_policy", "unalign", "split", "alltoallv_spread"}) {
    const Json& value = member(sweep, key);
    if (value.is_null()) continue;
    parts.push_back(fmt::format("{} {}", key, value.is_string() ? value.get<std::string>() : dump(value)));
  }
  return join(parts, ", ");
}

/// With the ranks: on the same nodes, fewer GPUs do something else. `placement`: "in place", "out of place".
std::string series_of(const record::Collective& row, const NcclGroup& group, const char* placement) {
  std::vector<std::string> parts = {fmt::format("{} on {}", row.collective, on_nodes(group.nodes)),
                                    fmt::format("{} ranks", group.ranks), row.dtype};
  if (!row.redop.empty() && row.redop != "none") parts.push_back(row.redop);
  if (row.root.value_or(0) > 0) parts.push_back(fmt::format("root {}", *row.root));
  if (row.groups.value_or(1) > 1) parts.push_back(fmt::format("group {}", row.group.value_or(0)));
  parts.push_back(placement);
  return join(parts, ", ");
}

/// The figure is the mean over the timed iterations, so its standard error is sigma / √n. Sigma is taken from
/// p50 and p95 of the iterations (1.645 sigma apart in a normal sample), because their CV, which one stray
/// iteration doubles, says nothing about the others.
Repeat collective_repeat(double figure, const record::Placement& placement, const record::Collective& row) {
  const record::Iterations each = placement.per_iteration.value_or(record::Iterations{});
  const auto& p50 = each.p50_us;
  const auto& p95 = each.p95_us;
  const double iterations = row.iterations.value_or(0);
  if (!p50 || !p95 || *p50 <= 0 || iterations < 2) return Repeat::alone(figure);
  const double sigma = (*p95 - *p50) / (1.645 * *p50);
  return Repeat::summarized(figure, figure * sigma / std::sqrt(iterations));
}

Point collective_point(const NcclGroup& group, const GroupRecord& record, const record::Placement& placement,
                       const char* placement_name) {
  const record::Collective& row = *record.row;
  const std::int64_t size = row.size_bytes.value_or(0);
  const double busbw = placement.busbw_gBps.value_or(0);
  const bool bandwidth = size >= kBandwidthFrom && busbw > 0;  // one rank alone has none
  Point point;
  point.section = "nccl";
  point.series = series_of(row, group, placement_name);
  point.variant = variant_of(*record.task);
  point.task = record.task->label;
  point.member = format_bytes(size);
  point.figure = bandwidth ? "busbw" : "time";
  point.unit = bandwidth ? "GB/s" : "us";
  point.higher_is_better = bandwidth;
  point.sample = placement.per_iteration ? "iterations" : "";
  point.latency = size < kBandwidthFrom;
  const double figure = bandwidth ? busbw : placement.time_us.value_or(0);
  if (figure > 0) point.repeats.push_back(collective_repeat(figure, placement, row));
  if (group.limit && busbw > group.limit->busbw_gBps) {
    point.disbelief = fmt::format("IMPLAUSIBLE: busbw {:.1f} GB/s, above the {:.1f} GB/s of {}", busbw,
                                  group.limit->busbw_gBps, group.limit->resource);
  }
  for (const auto& count : {placement.wrong, placement.wrong_timed}) {
    if (count.value_or(0) > 0) point.disbelief = fmt::format("{} wrong elements", *count);
  }
  return point;
}

void add_nccl(const NcclGroup& group, PointSet& points) {
  for (const GroupRecord& record : group.records) {
    // What a task measured before it failed is no figure.
    if (record.task->status() != TaskStatus::kOk) continue;
    const record::Collective& row = *record.row;
    if (row.out_of_place) points.add(collective_point(group, record, *row.out_of_place, "out of place"));
    if (row.in_place) points.add(collective_point(group, record, *row.in_place, "in place"));
  }
}

// ---- single GPUs

/// "node3 GPU 5"; a rank on the CPU has no GPU.
template <typename Kind>
std::string device_name(const Typed<Kind>& entry) {
  const int gpu = entry.data.gpu.value_or(-1);
  if (gpu < 0) return fmt::format("{} rank {}", entry.node, entry.rank);
  return fmt::format("{} GPU {}", entry.node, gpu);
}

Point gpu_bench_point(const TaskData& task, const Typed<record::GpuBench>& entry) {
  const record::GpuBench& bench = entry.data;
  Point point;
  point.section = "gpu";
  point.figure = bench.test;
  point.unit = bench.metric;
  point.series = join({bench.test, bench.shape}, " ");
  point.member = device_name(entry);
  if (bench.peer) point.member += fmt::format(" to GPU {}", *bench.peer);
  point.higher_is_better = point.unit != "us";
  point.sample = "runs";
  point.task = task.label;
  const double value = bench.value.value_or(0);
  const double runs = static_cast<double>(bench.runs.value_or(0));
  if (value > 0 && bench.p5 && bench.p95 && runs > 1) {
    // Of a normal sample p5 and p95 lie 3.290 sigma apart, and its median's error is 1.2533 sigma / √n.
    const double sigma = (*bench.p95 - *bench.p5) / 3.290;
    point.repeats.push_back(Repeat::summarized(value, 1.2533 * sigma / std::sqrt(runs)));
  } else if (value > 0) {
    point.repeats.push_back(Repeat::alone(value));
  }
  if (bench.wrong.value_or(0) > 0) point.disbelief = fmt::format("{} wrong elements", *bench.wrong);
  return point;
}

/// One point a GPU: the median of its seconds.
std::vector<Point> burn_points(const TaskData& task) {
  struct Gpu {
    std::vector<double> tflops;
    std::int64_t mismatches = 0;
  };
  std::map<std::string, Gpu> gpus;
  for (const auto& entry : task.of<record::Burn>()) {
    Gpu& gpu = gpus[device_name(entry)];
    if (entry.data.tflops.value_or(0) > 0) gpu.tflops.push_back(*entry.data.tflops);
    // Counted since the start of the burn.
    gpu.mismatches = std::max(gpu.mismatches, entry.data.mismatches.value_or(0));
  }
  std::vector<Point> points;
  for (auto& [name, gpu] : gpus) {
    if (gpu.tflops.empty()) continue;  // the median of nothing
    Point& point = points.emplace_back();
    point.section = "gpu";
    point.series = point.figure = "burn";
    point.member = name;
    point.unit = "TFLOP/s";
    point.sample = "seconds";
    point.task = task.label;
    if (gpu.mismatches > 0) {
      point.disbelief = fmt::format("{} elements differ from the first result", gpu.mismatches);
    }
    point.within.push_back(stats::kMadToSigma * stats::mad(gpu.tflops) / stats::median(gpu.tflops));
    point.repeats.push_back(Repeat::median_of(std::move(gpu.tflops)));
  }
  return points;
}

}  // namespace

bool RowSteps::same_rows(const RowSteps& other) const {
  return !rows.empty() && rows == other.rows && steps.number == other.steps.number &&
         steps.tokens == other.steps.tokens;
}

stats::Spread Point::spread() const {
  stats::Spread spread;
  if (repeats.size() > 1) {
    const auto [low, high] = std::minmax_element(
        repeats.begin(), repeats.end(), [](const Repeat& a, const Repeat& b) { return a.figure < b.figure; });
    spread.repeats = (high->figure - low->figure) / stats::center(repeats);
  }
  if (!within.empty()) spread.within = *std::max_element(within.begin(), within.end());
  return spread;
}

std::string Point::key(bool with_variant) const {
  return join({section, series, with_variant ? variant : "", member, figure}, "\n");
}

void PointSet::add(Point point) {
  if (point.repeats.empty()) return;
  const auto [it, added] = index_.emplace(point.key(true), points_.size());
  if (added) {
    points_.push_back(std::move(point));
    return;
  }
  Point& known = points_[it->second];
  known.steps.reset();
  std::move(point.repeats.begin(), point.repeats.end(), std::back_inserter(known.repeats));
  known.within.insert(known.within.end(), point.within.begin(), point.within.end());
  if (known.disbelief.empty()) known.disbelief = point.disbelief;
  if (known.sample.empty()) known.sample = point.sample;
}

void PointSet::add(const Analysis& analysis) {
  for (const TaskData& task : analysis.dataset->tasks) {
    if (task.status() != TaskStatus::kOk) problems_.emplace(task.label, task.reason());
  }
  for (const SftGroup& group : analysis.sft) add_sft(group, *this);
  for (const NcclGroup& group : analysis.nccl) add_nccl(group, *this);
  for (const TaskData& task : analysis.dataset->tasks) {
    if (task.status() != TaskStatus::kOk) continue;
    for (const auto& entry : task.of<record::GpuBench>()) add(gpu_bench_point(task, entry));
    for (Point& point : burn_points(task)) add(std::move(point));
  }
}

std::string PointSet::task_problem(const std::string& task) const {
  const auto it = problems_.find(task);
  return it == problems_.end() ? "" : it->second;
}

}  // namespace sxb::analysis
