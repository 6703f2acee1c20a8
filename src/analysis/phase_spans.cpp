#include "analysis/phase_spans.h"

#include <algorithm>
#include <cmath>

#include "analysis/json_read.h"

namespace sxb::analysis {
namespace {

namespace kind = record::kind;

constexpr const char* kFields[kPhases] = {"forward_ms", "backward_ms", "optimizer_ms"};
/// Windows of two nodes may differ by this share of a step before their clocks count as not comparable.
constexpr double kWindowTolerance = 0.1;

using PhaseMs = std::array<double, kPhases>;

std::optional<PhaseMs> phase_ms(const Json& data) {
  PhaseMs ms{};
  for (std::size_t i = 0; i < kPhases; ++i) {
    const auto value = number(data, kFields[i]);
    if (!value || *value < 0) return std::nullopt;
    ms[i] = *value;
  }
  return ms;
}

/// Which rank ran on this GPU; -1 if the journal does not say.
int rank_on(const TaskData& task, const std::string& node, int gpu) {
  for (const Entry& entry : task.of(kind::kRank)) {
    if (entry.record.node == node && integer(entry.record.data, "gpu") == gpu) return entry.record.rank;
  }
  return -1;
}

std::optional<PhaseMs> medians_of(const TaskData& task, int rank) {
  for (const Entry& entry : task.of(kind::kPhases)) {
    if (entry.record.rank == rank) return phase_ms(entry.record.data);
  }
  return std::nullopt;
}

/// How much longer than on rank 0 each phase is on `rank`; zeros where one of the two is unknown.
PhaseMs difference_to_rank0(const TaskData& task, int rank) {
  const auto own = medians_of(task, rank);
  const auto base = medians_of(task, 0);
  PhaseMs difference{};
  for (std::size_t i = 0; own && base && i < kPhases; ++i) difference[i] = (*own)[i] - (*base)[i];
  return difference;
}

struct Interval {
  std::int64_t begin_ns = 0, end_ns = 0;
  double length_ns() const { return static_cast<double>(end_ns - begin_ns); }
};

std::optional<Interval> interval_of(const Json& data) {
  const auto begin = integer(data, "begin_ns");
  const auto end = integer(data, "end_ns");
  return begin && end && *begin < *end ? std::optional(Interval{*begin, *end}) : std::nullopt;
}

std::optional<Interval> window_of(const TaskData& task, const std::string& node) {
  for (const Entry& entry : task.of(kind::kWindow)) {
    if (entry.record.node == node) return interval_of(entry.record.data);
  }
  return std::nullopt;
}

/// What to add to a time of `from` to have it on the clock of `to`; none if they cannot be compared.
std::optional<std::int64_t> clock_offset(const TaskData& task, const std::string& from, const std::string& to,
                                         double step_ns) {
  if (from == to) return 0;
  const auto here = window_of(task, from);
  const auto there = window_of(task, to);
  if (!here || !there) return std::nullopt;
  if (std::abs(here->length_ns() - there->length_ns()) > kWindowTolerance * step_ns) return std::nullopt;
  return there->begin_ns - here->begin_ns;
}

std::int64_t nanoseconds(double ms) { return std::llround(ms * 1e6); }

}  // namespace

void PhaseActivity::add(const PhaseActivity& other) {
  sm_active_pct.add(other.sm_active_pct);
  tensor_active_pct.add(other.tensor_active_pct);
  dram_active_pct.add(other.dram_active_pct);
  power_w.add(other.power_w);
}

PhaseSpans PhaseSpans::of(const TaskData& task, const std::string& node, int gpu) {
  const PhaseMs difference = difference_to_rank0(task, rank_on(task, node, gpu));
  const bool alternating = integer(task.training(), "grad_accumulation").value_or(1) > 1;
  PhaseSpans result;
  for (const Entry& entry : task.of(kind::kStep)) {
    const Json& data = entry.record.data;
    const auto step = interval_of(data);
    const auto ms = phase_ms(data);
    if (!flag(data, "measured") || !step || !ms) continue;
    const auto offset = clock_offset(task, entry.record.node, node, step->length_ns());
    if (!offset) return {};
    const std::int64_t origin = step->begin_ns + *offset;
    double computed_ms = 0;
    for (std::size_t i = 0; i < kPhases; ++i) computed_ms += (*ms)[i] + difference[i];
    const double waited_ms = std::max(0.0, step->length_ns() * 1e-6 - computed_ms);
    double before_ms = 0;
    for (std::size_t i = 0; i < kPhases; ++i) {
      const double after_ms = before_ms + (*ms)[i] + difference[i];
      const Span span{origin + nanoseconds(before_ms + waited_ms), origin + nanoseconds(after_ms),
                      static_cast<Phase>(i)};
      const bool placed = !alternating || span.phase == Phase::kOptimizer;
      if (placed && span.begin_ns < span.end_ns) result.spans_.push_back(span);
      before_ms = after_ms;
    }
  }
  return result;
}

std::optional<Phase> PhaseSpans::phase_of(std::int64_t begin_ns, std::int64_t end_ns) const {
  const double needed = kPhaseOverlap * static_cast<double>(end_ns - begin_ns);
  auto span = std::lower_bound(spans_.begin(), spans_.end(), begin_ns,
                               [](const Span& one, std::int64_t time) { return one.end_ns <= time; });
  for (; span != spans_.end() && span->begin_ns < end_ns; ++span) {
    const std::int64_t inside = std::min(end_ns, span->end_ns) - std::max(begin_ns, span->begin_ns);
    if (static_cast<double>(inside) >= needed) return span->phase;
  }
  return std::nullopt;
}

}  // namespace sxb::analysis
