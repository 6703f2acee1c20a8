// The figures derived from one fine-tuning task, and ONE table of them: it names the CSV columns, the
// JSON keys, the units in the report and the section "derived figures" of docs/records.md.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "analysis/read/dataset.h"
#include "analysis/read/samples.h"
#include "record/record.h"
#include "stats/stats.h"

namespace sxb::analysis {

struct FigureInfo {
  const char* name;
  const char* unit;
  record::Hint hint;
  const char* description;  ///< one sentence with the formula
  const char* sources;      ///< record kinds it is computed from, joined by "+"; "sample" = samples/
};
const std::vector<FigureInfo>& sft_figures();
const FigureInfo& figure_info(const std::string& name);  ///< panics on an unknown name

/// Values by figure; what was not measured is absent.
class Figures {
 public:
  void set(const std::string& name, std::optional<double> value);
  std::optional<double> get(const std::string& name) const;
  const std::vector<std::pair<const FigureInfo*, double>>& values() const { return values_; }

 private:
  std::vector<std::pair<const FigureInfo*, double>> values_;
};

/// Step times of the measured steps in ms, in step order.
std::vector<double> measured_step_times(const TaskData& task);

/// The 95 % intervals of throughput and step time, ..._low and ..._high, over the repeats of a group, by the
/// estimator of comparisons: of one repeat they know the spread of its steps, from two repeats on that
/// between them.
void set_intervals(const std::vector<const TaskData*>& repeats, Figures& figures);

Figures compute_sft(const TaskData& task, const TaskSamples& samples);

}  // namespace sxb::analysis
