// The figures of a run that a comparison sets beside those of another, each with what is known of its
// spread.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "analysis/analysis.h"
#include "analysis/read/measured_steps.h"
#include "stats/change.h"
#include "stats/stability.h"

namespace sxb::analysis {

/// The steps of one repeat, and what says which rows they took.
struct RowSteps {
  std::string rows;  ///< data set, world and batch; empty if the data set is not known
  MeasuredSteps steps;

  /// Step by step the same rows: what differs between the steps is then no noise between the runs.
  bool same_rows(const RowSteps& other) const;
};

/// One figure. Two points are the same figure when section, series, variant, member and figure agree.
struct Point {
  std::string section;  ///< sft, nccl or gpu
  std::string series;   ///< "7b on 2 nodes", "all_reduce on 4 nodes, float, sum, out of place"
  std::string variant;  ///< settings of the sweep that are not the usual ones: "registration 2"; may be empty
  std::string member;   ///< of the series: "8 MiB", "node3 GPU 5"; may be empty
  std::string figure;   ///< "tokens/s/GPU", "busbw"
  std::string unit;
  bool higher_is_better = true;

  std::vector<stats::Repeat> repeats;  ///< at least one in a PointSet
  std::vector<double> within;          ///< noise of each repeat (1.4826 MAD / median) where values were kept
  std::string sample;  ///< what a repeat's spread comes from: "steps", "iterations"; may be empty
  std::string task;    ///< label of the task that measured it
  /// Why the figure cannot be believed: beyond a physical limit, or wrong data. It is then none.
  std::string disbelief;
  std::optional<RowSteps> steps;  ///< of one repeat; of several their figures tell
  /// The time of a small size, which one repeat of some twenty iterations tells roughly.
  bool latency = false;
  std::optional<double> work;  ///< tokens a step: step times of other work are not comparable

  stats::Spread spread() const;
  /// section, series, variant, member, figure; without the variant: what two runs of one setting each share.
  std::string key(bool with_variant) const;
};

/// Points in the order in which they came; those of one figure become one, with the repeats of all.
class PointSet {
 public:
  /// Those of one run, of all its tasks. Several runs of one side add their repeats to each other.
  void add(const Analysis& analysis);
  void add(Point point);  ///< one without repeats is none
  const std::vector<Point>& points() const { return points_; }
  /// Why a task of this label has no result; "" if it has one or is not known.
  std::string task_problem(const std::string& task) const;

 private:
  std::vector<Point> points_;
  std::map<std::string, std::size_t> index_;  ///< by everything that makes a figure the same
  std::map<std::string, std::string> problems_;
};

}  // namespace sxb::analysis
