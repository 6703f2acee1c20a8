// What a task must have recorded when it ends well, by its plan: figures that are absent are a failure, not a
// smaller result. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "plan/task.h"
#include "record/record.h"

namespace sxb::plan {

/// Counts the records of one attempt of a task as they come.
class Tally {
 public:
  /// `places`: of all ranks of the task, by rank.
  Tally(const Task& task, std::vector<RankPlace> places);

  /// Records of other kinds than a plan asks for are passed over.
  void add(const record::Record& record);

  /// What is missing, a reason each, the first ones by name; empty if all came:
  /// "rank 3 has not told its device", "steps 401 to 500 of 500", "all_reduce: 30 of 31 sizes".
  std::vector<std::string> missing() const;

 private:
  using Series = std::pair<std::string, int>;  ///< type and operator of a sweep with its root; its group

  void want_of_every_rank(const std::set<int>& seen, const char* what, std::vector<std::string>& out) const;
  void want_steps(std::vector<std::string>& out) const;
  void want_sizes(std::vector<std::string>& out) const;
  void want_tests(std::vector<std::string>& out) const;

  Task task_;
  std::vector<RankPlace> places_;
  std::set<int> devices_, ranks_, burns_;    ///< ranks that have sent a record of the kind
  std::set<std::int64_t> steps_;             ///< numbers
  std::int64_t resumed_ = 0;                 ///< step after which this attempt went on
  bool training_ = false, located_ = false;  ///< the record that ends such a task came
  std::map<Series, std::int64_t> sizes_;     ///< records of each
  int skipped_pairs_ = 0;                    ///< of a type and an operator, which the device lacks
  bool range_cut_ = false;                   ///< the largest sizes did not fit the memory, and it was said
  std::set<std::pair<int, std::string>> tests_;  ///< node and test of the GPU suite
};

}  // namespace sxb::plan
