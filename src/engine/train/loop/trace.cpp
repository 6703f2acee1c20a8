#include "engine/train/loop/trace.h"

#include <algorithm>
#include <tuple>
#include <vector>

namespace sxb::engine::train {
namespace {

std::string unit_name(const Layout& layout, int unit) {
  if (unit == layout.embedding()) return "embedding";
  if (unit == layout.head()) return "head";
  return "block " + std::to_string(unit - layout.first_block());
}

struct Work {
  std::string name;
  int track;
  std::int64_t begin, end;  ///< ns
};

std::vector<Work> all_work(const StepMarks& marks, const std::int64_t* stamps, const Layout& layout) {
  std::vector<Work> work;
  for (const StepMarks::Span& span : marks.spans) {
    std::string name = span.name;
    if (span.unit >= 0) name += " " + unit_name(layout, span.unit);
    work.push_back(
        {std::move(name), span.track == Track::kCompute ? 0 : 1, stamps[span.begin], stamps[span.end]});
  }
  for (std::size_t i = 0; i + 1 < marks.marks.size(); ++i) {
    if (marks.marks[i].begins != StepPhase::kExposedComm) continue;
    work.push_back(
        {"wait for communication", 0, stamps[marks.marks[i].stamp], stamps[marks.marks[i + 1].stamp]});
  }
  // What contains others comes first, even if they begin together.
  std::sort(work.begin(), work.end(), [](const Work& a, const Work& b) {
    return std::tuple(a.track, a.begin, -a.end) < std::tuple(b.track, b.begin, -b.end);
  });
  return work;
}

Json metadata(const char* what, const std::string& name, int pid, int tid) {
  return {{"name", what}, {"ph", "M"}, {"pid", pid}, {"tid", tid}, {"args", {{"name", name}}}};
}

}  // namespace

Json chrome_trace(const StepMarks& marks, const std::int64_t* stamps_ns, const Layout& layout,
                  const std::string& process, int pid) {
  Json events = {metadata("process_name", process, pid, 0), metadata("thread_name", "compute", pid, 0),
                 metadata("thread_name", "communication", pid, 1)};
  if (marks.stamps == 0) return events;
  const std::int64_t origin = *std::min_element(stamps_ns, stamps_ns + marks.stamps);
  const auto us = [](std::int64_t ns) { return static_cast<double>(ns) / 1e3; };
  for (const Work& w : all_work(marks, stamps_ns, layout)) {
    events.push_back({{"name", w.name},
                      {"ph", "X"},
                      {"ts", us(w.begin - origin)},
                      {"dur", us(w.end - w.begin)},
                      {"pid", pid},
                      {"tid", w.track}});
  }
  return events;
}

}  // namespace sxb::engine::train
