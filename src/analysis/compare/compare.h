// Two runs, or two sets of runs, figure by figure: what differs in how they were made, and what changed.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "analysis/analysis.h"
#include "stats/stats.h"

namespace sxb::analysis {

/// A run folder, read and analysed; `analysis` points into `dataset`.
struct LoadedRun {
  Dataset dataset;
  Analysis analysis;
};
/// One side of a comparison. Each run adds its repeats.
using Side = std::vector<std::unique_ptr<const LoadedRun>>;

/// Reads each: a run folder, or the latest run of a results folder. A run that is named twice is an error.
Result<Side> load_side(const std::vector<std::filesystem::path>& paths);

/// In the order in which an operator wants to see them.
enum class Judgement {
  kSlower,
  kUnstable,  ///< the spread is too wide to tell
  kMissing,   ///< one side has no figure, or none that can be believed
  kFaster,
  kNotJudged,  ///< too little was measured of what always varies: a latency of one repeat
  kSame
};
inline constexpr Judgement kJudgements[] = {Judgement::kSlower, Judgement::kUnstable,  Judgement::kMissing,
                                            Judgement::kFaster, Judgement::kNotJudged, Judgement::kSame};
const char* to_string(Judgement judgement);  ///< SLOWER, UNSTABLE, ...

struct ComparedSide {
  std::optional<double> value;  ///< median of the repeats; absent: not measured
  std::size_t repeats = 0;
  std::string disbelief;  ///< why the value cannot be believed: IMPLAUSIBLE ..., wrong elements
};

struct Compared {
  std::string section, series, variant, member, figure, unit;  ///< as in Point
  bool higher_is_better = true;
  Judgement judgement = Judgement::kSame;
  ComparedSide a, b;
  std::optional<double> change;             ///< b / a - 1
  std::optional<stats::Interval> interval;  ///< 95 %, of the change
  std::string reason;                       ///< the arithmetic: "-4.1 % [-4.6, -3.5], threshold 3 %"
  std::string note;                         ///< how far the interval can be relied on; may be empty
};

/// A fact of how the runs were made that is not the same on both sides.
struct FactChange {
  std::string fact, a, b;  ///< "–" where a side does not know it
};

struct CompareOptions {
  double threshold = 0.03;         ///< the smallest change that matters
  std::set<std::string> sections;  ///< sft, nccl, gpu; empty = all
};

/// Names of the sections.
const std::vector<std::string>& compare_sections();

struct Comparison {
  const Side *a = nullptr, *b = nullptr;
  double threshold = 0;
  std::vector<FactChange> facts;
  std::vector<Compared> items;

  std::size_t count(Judgement judgement) const;
  /// Whether any figure was measured on both sides.
  bool any_pair() const;
};

Comparison compare(const Side& a, const Side& b, const CompareOptions& options = {});

/// Of compare(), in a file of its own: versions, devices, variables, settings.
std::vector<FactChange> changed_facts(const Side& a, const Side& b);

}  // namespace sxb::analysis
