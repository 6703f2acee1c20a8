#include "analysis/read/phase_spans.h"

#include <algorithm>
#include <cmath>

namespace sxb::analysis {
namespace {

/// Of a step, or of the medians of a rank.
template <typename Fields>
std::optional<std::array<double, kPhases>> phase_ms(const Fields& fields) {
  std::array<double, kPhases> ms{};
  std::size_t i = 0;
  for (const std::optional<double>& value : {fields.forward_ms, fields.backward_ms, fields.optimizer_ms}) {
    if (!value || *value < 0) return std::nullopt;
    ms[i++] = *value;
  }
  return ms;
}

/// Windows of two nodes may differ by this share of a step before their clocks count as not comparable.
constexpr double kWindowTolerance = 0.1;

std::int64_t nanoseconds(double ms) { return std::llround(ms * 1e6); }

}  // namespace

void PhaseActivity::add(const PhaseActivity& other) {
  sm_active_pct.add(other.sm_active_pct);
  tensor_active_pct.add(other.tensor_active_pct);
  dram_active_pct.add(other.dram_active_pct);
  power_w.add(other.power_w);
}

TaskPhases::TaskPhases(const TaskData& task)
    : alternating_(task.last<record::Training>().grad_accumulation.value_or(1) > 1) {
  // Of several records on the same thing the first counts.
  const auto interval_of = [](const auto& fields) {
    const auto& begin = fields.begin_ns;
    const auto& end = fields.end_ns;
    return begin && end && *begin < *end ? std::optional(Interval{*begin, *end}) : std::nullopt;
  };
  for (const auto& entry : task.of<record::Window>()) {
    windows_.emplace(entry.node, interval_of(entry.data));
  }
  for (const auto& entry : task.of<record::Rank>()) {
    if (entry.data.gpu) ranks_.emplace(std::pair(entry.node, *entry.data.gpu), entry.rank);
  }
  for (const auto& entry : task.of<record::Phases>()) medians_.emplace(entry.rank, phase_ms(entry.data));
  for (const auto& entry : task.of<record::Step>()) {
    // Of an earlier attempt there are no samples, and the machine may have been booted since.
    if (task.resumed_step() > 0 && entry.data.step.value_or(0) <= task.resumed_step()) continue;
    const auto interval = interval_of(entry.data);
    const auto ms = phase_ms(entry.data);
    if (!entry.data.measured.value_or(false) || !interval || !ms) continue;
    steps_.push_back({*interval, *ms, entry.node, window_of(entry.node)});
  }
}

std::optional<TaskPhases::Interval> TaskPhases::window_of(const std::string& node) const {
  const auto it = windows_.find(node);
  return it == windows_.end() ? std::nullopt : it->second;
}

std::optional<TaskPhases::PhaseMs> TaskPhases::medians_of(int rank) const {
  const auto it = medians_.find(rank);
  return it == medians_.end() ? std::nullopt : it->second;
}

/// How much longer than on rank 0 each phase is on the rank of this GPU; zeros where one is unknown.
TaskPhases::PhaseMs TaskPhases::difference_to_rank0(const std::string& node, int gpu) const {
  const auto rank = ranks_.find({node, gpu});
  const auto own = medians_of(rank == ranks_.end() ? -1 : rank->second);
  const auto base = medians_of(0);
  PhaseMs difference{};
  for (std::size_t i = 0; own && base && i < kPhases; ++i) difference[i] = (*own)[i] - (*base)[i];
  return difference;
}

PhaseSpans TaskPhases::of(const std::string& node, int gpu) const {
  const PhaseMs difference = difference_to_rank0(node, gpu);
  const auto window = window_of(node);
  PhaseSpans result;
  for (const Step& step : steps_) {
    const double step_ns = step.interval.length_ns();
    std::int64_t origin = step.interval.begin_ns;
    if (step.node != node) {
      const bool comparable =
          step.window && window &&
          std::abs(step.window->length_ns() - window->length_ns()) <= kWindowTolerance * step_ns;
      if (!comparable) return {};
      origin += window->begin_ns - step.window->begin_ns;
    }
    double computed_ms = 0;
    for (std::size_t i = 0; i < kPhases; ++i) computed_ms += step.ms[i] + difference[i];
    const double waited_ms = std::max(0.0, step_ns * 1e-6 - computed_ms);
    double before_ms = 0;
    for (std::size_t i = 0; i < kPhases; ++i) {
      const double after_ms = before_ms + step.ms[i] + difference[i];
      const PhaseSpans::Span span{origin + nanoseconds(before_ms + waited_ms), origin + nanoseconds(after_ms),
                                  static_cast<Phase>(i)};
      const bool placed = !alternating_ || span.phase == Phase::kOptimizer;
      if (placed && span.begin_ns < span.end_ns) result.spans_.push_back(span);
      before_ms = after_ms;
    }
  }
  return result;
}

std::optional<Phase> PhaseSpans::phase_of(std::int64_t begin_ns, std::int64_t end_ns,
                                          std::size_t& near) const {
  const double needed = kPhaseOverlap * static_cast<double>(end_ns - begin_ns);
  const auto over = [&](const Span& span) { return span.end_ns <= begin_ns; };
  near = std::min(near, spans_.size());
  if (near > 0 && !over(spans_[near - 1])) near = 0;  // the time went back
  while (near < spans_.size() && over(spans_[near])) ++near;
  for (auto span = spans_.begin() + static_cast<std::ptrdiff_t>(near);
       span != spans_.end() && span->begin_ns < end_ns; ++span) {
    const std::int64_t inside = std::min(end_ns, span->end_ns) - std::max(begin_ns, span->begin_ns);
    if (static_cast<double>(inside) >= needed) return span->phase;
  }
  return std::nullopt;
}

}  // namespace sxb::analysis
