#include "analysis/compare/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "analysis/compare/comparison_points.h"
#include "base/parallel.h"
#include "base/text.h"

namespace sxb::analysis {
namespace {

/// Where no spread was recorded (one value a side), only a change that no repeat of such a measurement
/// shows counts: single latencies of NCCL differ by up to a tenth from run to run.
constexpr double kBlindThreshold = 0.10;
/// Step times are compared only where the work of a step is the same.
constexpr double kSameWork = 0.01;

std::string percent(double ratio) { return fmt::format("{:+.1f}", ratio * 100); }

std::string arithmetic(const stats::Change& change, double threshold) {
  std::string text = percent(change.ratio) + " %";
  if (change.interval) {
    text += fmt::format(" [{}, {}]", percent(change.interval->low), percent(change.interval->high));
  }
  return text + fmt::format(", threshold {:g} %", threshold * 100);
}

bool one_each(const Point& a, const Point& b) { return a.repeats.size() == 1 && b.repeats.size() == 1; }
bool same_rows(const Point& a, const Point& b) {
  return one_each(a, b) && a.steps && b.steps && a.steps->same_rows(*b.steps);
}
/// Latencies of NCCL of a few microseconds differ from run to run as single values do, whatever twenty
/// iterations of one run say.
bool coarse(const Point& a, const Point& b) { return one_each(a, b) && a.latency && b.latency; }

/// What the interval does not know.
std::string note_on(const Point& a, const Point& b) {
  const std::size_t in_a = a.repeats.size();
  const std::size_t in_b = b.repeats.size();
  if (in_a > 1 && in_b > 1) return "";
  if (one_each(a, b) && a.sample == b.sample) {
    if (a.sample.empty())
      return fmt::format("one value a side, spread unknown: judged against {:g} %", kBlindThreshold * 100);
    if (coarse(a, b))
      return fmt::format("one repeat a side of a size below 1 MiB: judged against {:g} %",
                         kBlindThreshold * 100);
    return fmt::format("{}one repeat a side: only the spread of the {} is known",
                       same_rows(a, b) ? "the same rows in both, compared step by step; " : "", a.sample);
  }
  if (in_a > 1 || in_b > 1)
    return fmt::format("A has {} repeat{}, B {}: {} is taken to vary as those of {} do", in_a,
                       in_a == 1 ? "" : "s", in_b, in_a == 1 ? "A" : "B", in_a == 1 ? "B" : "A");
  std::vector<std::string> parts;
  for (const auto& [name, point] : {std::pair{"A", &a}, {"B", &b}}) {
    parts.push_back(point->sample.empty()
                        ? fmt::format("of {} no spread is known", name)
                        : fmt::format("of {} only the spread of its {} is known", name, point->sample));
  }
  return fmt::format("A has 1 repeat, B 1: {}", join(parts, ", "));
}

Compared describe(const Point& point) {
  Compared item;
  item.section = point.section;
  item.series = point.series;
  item.variant = point.variant;
  item.member = point.member;
  item.figure = point.figure;
  item.unit = point.unit;
  item.higher_is_better = point.higher_is_better;
  return item;
}

ComparedSide describe_side(const Point& point) {
  return {point.repeats.empty() ? std::nullopt : std::optional(stats::center(point.repeats)),
          point.repeats.size(), point.disbelief};
}

Compared only_one(const Point& point, bool in_a, const PointSet& other) {
  Compared item = describe(point);
  item.judgement = Judgement::kMissing;
  (in_a ? item.a : item.b) = describe_side(point);
  const std::string problem = other.task_problem(point.task);
  item.reason = fmt::format("not in {}", in_a ? "B" : "A");
  if (!problem.empty()) item.reason += ": " + problem;
  return item;
}

/// How the times of the same steps vary beside each other, of one side.
double noise_of_pairs(const RowSteps& a, const RowSteps& b) {
  std::vector<double> gaps;
  for (std::size_t i = 0; i < a.steps.time_ms.size(); ++i)
    gaps.push_back(std::log(b.steps.time_ms[i] / a.steps.time_ms[i]));
  return stats::kMadToSigma * stats::mad(gaps) / std::sqrt(2.0);
}

/// Adds to the reason which side is UNSTABLE by itself, if its spread hides the change.
bool hidden_by_spread(const Point& a, const Point& b, double change, Compared& item) {
  for (const auto& [name, point] : {std::pair{"A", &a}, {"B", &b}}) {
    stats::Spread spread = point->spread();
    if (same_rows(a, b)) spread.within = noise_of_pairs(*a.steps, *b.steps);
    if (!stats::unstable(spread) || std::abs(change) > spread.largest()) continue;
    const bool repeats = spread.repeats.value_or(0) >= spread.within.value_or(0);
    item.reason += fmt::format("; {} itself is UNSTABLE: its {} by {:.1f} %", name,
                               repeats ? "repeats differ" : point->sample + " vary", spread.largest() * 100);
    return true;
  }
  return false;
}

stats::Change change_of(const Point& a, const Point& b) {
  if (!same_rows(a, b)) return stats::relative_change(a.repeats, b.repeats);
  return stats::paired_change(a.steps->steps.time_ms, b.steps->steps.time_ms,
                              b.higher_is_better ? stats::StepFigure::kRate : stats::StepFigure::kMedian);
}

Compared judge_pair(const Point& a, const Point& b, double threshold) {
  Compared item = describe(b);
  item.a = describe_side(a);
  item.b = describe_side(b);
  for (const auto& [name, point] : {std::pair{"A", &a}, {"B", &b}}) {
    if (point->disbelief.empty()) continue;
    item.judgement = Judgement::kMissing;
    item.reason += fmt::format("{}{}: {}", item.reason.empty() ? "" : "; ", name, point->disbelief);
  }
  if (item.judgement == Judgement::kMissing) return item;
  const stats::Change change = change_of(a, b);
  item.change = change.ratio;
  item.interval = change.interval;
  const double blind = std::max(threshold, kBlindThreshold);
  if (coarse(a, b)) threshold = blind;
  item.reason = arithmetic(change, change.interval ? threshold : blind);
  item.note = note_on(a, b);
  switch (stats::direction(change, threshold, blind)) {
    case stats::Direction::kHigher:
      item.judgement = b.higher_is_better ? Judgement::kFaster : Judgement::kSlower;
      break;
    case stats::Direction::kLower:
      item.judgement = b.higher_is_better ? Judgement::kSlower : Judgement::kFaster;
      break;
    case stats::Direction::kUnclear:
      item.judgement = coarse(a, b) ? Judgement::kNotJudged : Judgement::kUnstable;
      item.reason += change.too_few_values()
                         ? fmt::format(
                               "; not enough to tell: neighbouring {} are alike, or few: worth {:.1f} "
                               "independent ones",
                               b.sample, *change.worth)
                         : std::string("; the interval is too wide to tell");
      return item;
    case stats::Direction::kSame:
      break;
  }
  if (hidden_by_spread(a, b, change.ratio, item)) item.judgement = Judgement::kUnstable;
  return item;
}

bool comparable(const Point& a, const Point& b) {
  return !a.work || !b.work || std::abs(*b.work - *a.work) <= kSameWork * *a.work;
}

/// For each point of B its partner in A: the same figure, or, where both sides measured it under one
/// setting only, the same but for the setting (which changed_facts() then names).
std::map<const Point*, const Point*> pair_up(const PointSet& a, const PointSet& b) {
  std::map<const Point*, const Point*> partner;  // both ways
  for (const bool with_variant : {true, false}) {
    std::map<std::string, std::vector<const Point*>> left, right;
    for (const Point& point : a.points()) {
      if (!partner.contains(&point)) left[point.key(with_variant)].push_back(&point);
    }
    for (const Point& point : b.points()) {
      if (!partner.contains(&point)) right[point.key(with_variant)].push_back(&point);
    }
    for (const auto& [key, points] : left) {
      const auto it = right.find(key);
      if (it == right.end() || points.size() != 1 || it->second.size() != 1) continue;
      partner[points.front()] = it->second.front();
      partner[it->second.front()] = points.front();
    }
  }
  return partner;
}

PointSet collect_points(const Side& side) {
  PointSet points;
  for (const auto& run : side) points.add(run->analysis);
  return points;
}

/// Also of a copy of the folder.
bool same_run(const LoadedRun& a, const LoadedRun& b) {
  return !a.dataset.asked.run_id.empty() && a.dataset.asked.run_id == b.dataset.asked.run_id &&
         a.dataset.start_wall_ns == b.dataset.start_wall_ns;
}

/// How many runs of one side stand on the other too.
std::size_t shared_runs(const Side& a, const Side& b) {
  return static_cast<std::size_t>(std::count_if(a.begin(), a.end(), [&](const auto& run) {
    return std::any_of(b.begin(), b.end(), [&](const auto& other) { return same_run(*run, *other); });
  }));
}

/// What is said where runs stand on both sides; equal sides have no difference that could be judged.
void note_shared_runs(const Side& a, const Side& b, std::vector<Compared>& items) {
  const std::size_t shared = shared_runs(a, b);
  if (shared == 0) return;
  const bool equal = shared == a.size() && shared == b.size();
  for (Compared& item : items) {
    if (!item.change) continue;
    if (equal) {
      item.judgement = Judgement::kSame;
      item.reason = "the same run";
      item.note = "A and B are the same run: nothing is compared";
    } else {
      item.note = join({item.note, "a run stands on both sides: its repeats count in A and in B"},
                       item.note.empty() ? "" : "; ");
    }
  }
}

}  // namespace

const char* to_string(Judgement judgement) {
  switch (judgement) {
    case Judgement::kSlower:
      return "SLOWER";
    case Judgement::kUnstable:
      return "UNSTABLE";
    case Judgement::kMissing:
      return "MISSING";
    case Judgement::kFaster:
      return "FASTER";
    case Judgement::kNotJudged:
      return "NOT JUDGED";
    case Judgement::kSame:
      return "SAME";
  }
  return "";
}

const std::vector<std::string>& compare_sections() {
  static const std::vector<std::string> names = {"sft", "nccl", "gpu"};
  return names;
}

Result<Side> load_side(const std::vector<std::filesystem::path>& paths) {
  Side side;
  for (const std::filesystem::path& path : paths) {
    SXB_ASSIGN_OR_RETURN(const std::filesystem::path folder, find_run(path));
    auto run = std::make_unique<LoadedRun>();
    SXB_ASSIGN_OR_RETURN(run->dataset, load_dataset(folder));
    SXB_ASSIGN_OR_RETURN(const Hardware hardware, load_hardware(run->dataset));
    const auto twice =
        std::find_if(side.begin(), side.end(), [&](const auto& other) { return same_run(*run, *other); });
    if (twice != side.end())
      return Error{"the run is named twice on one side", folder.string(), "a run adds its repeats once"};
    run->analysis = analyze(run->dataset, hardware);
    side.push_back(std::move(run));
  }
  return side;
}

std::size_t Comparison::count(Judgement judgement) const {
  return static_cast<std::size_t>(std::count_if(
      items.begin(), items.end(), [&](const Compared& item) { return item.judgement == judgement; }));
}

bool Comparison::any_pair() const {
  return std::any_of(items.begin(), items.end(),
                     [](const Compared& item) { return item.a.value && item.b.value; });
}

Comparison compare(const Side& a, const Side& b, const CompareOptions& options) {
  const PointSet in_a = collect_points(a);
  const PointSet in_b = collect_points(b);
  const auto partner = pair_up(in_a, in_b);
  const auto wanted = [&](const Point& point) {
    return options.sections.empty() || options.sections.contains(point.section);
  };
  Comparison comparison{&a, &b, options.threshold, changed_facts(a, b), {}};
  struct Pair {
    const Point *a, *b;
    std::size_t item;
  };
  std::vector<Pair> pairs;
  for (const Point& point : in_a.points()) {
    if (!wanted(point)) continue;
    const auto it = partner.find(&point);
    if (it == partner.end()) {
      comparison.items.push_back(only_one(point, true, in_b));
    } else if (comparable(point, *it->second)) {
      pairs.push_back({&point, it->second, comparison.items.size()});
      comparison.items.emplace_back();
    }
  }
  for_each_index(pairs.size(), [&](std::size_t i) {
    comparison.items[pairs[i].item] = judge_pair(*pairs[i].a, *pairs[i].b, options.threshold);
  });
  note_shared_runs(a, b, comparison.items);
  for (const Point& point : in_b.points()) {
    if (wanted(point) && !partner.contains(&point)) comparison.items.push_back(only_one(point, false, in_a));
  }
  std::stable_sort(comparison.items.begin(), comparison.items.end(),
                   [](const Compared& x, const Compared& y) { return x.judgement < y.judgement; });
  return comparison;
}

}  // namespace sxb::analysis
