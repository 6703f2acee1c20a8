// Which nodes the tasks of a run get: spares take the places of nodes that fail, and nodes that were not
// there leave.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "launch/head/observer.h"
#include "launch/head/run_options.h"

namespace sxb::launch {

class Roster {
 public:
  /// Changes the placement of `options`, whose last nodes are the spares.
  explicit Roster(RunOptions& options);

  /// A run that is resumed keeps the spares where they are. `starts`: the nodes of each task start of its
  /// journal, by their places. A node that a spare has replaced has left for good, as in the run before; what
  /// names that spare in --exclude brings it back.
  void go_on(const std::vector<std::vector<std::string>>& starts);

  struct Changes {
    std::vector<std::pair<std::string, std::string>> replaced;  ///< a node, and the spare in its place
    std::vector<std::string> left_out;                          ///< nodes for which there was no spare
    bool any() const { return !replaced.empty() || !left_out.empty(); }
  };
  /// After a task that failed. A node at fault leaves if there is a spare for it. One that was not there
  /// leaves in any case, where other nodes can be taken: it would fail every later task, after the same wait.
  Changes after(const TaskOutcome& outcome);

  /// Whether the nodes that are left do for `task`: as many, with as many ranks each as the plan was made
  /// for.
  bool fits(const plan::Task& task) const;
  /// The outcome of a task that they do not do for.
  TaskOutcome too_few_for(const plan::Task& task) const;
  std::size_t nodes_left() const { return next_spare_; }

 private:
  std::string replace(const std::string& name);
  bool leave_out(const std::string& name);
  std::vector<NodePlacement>& nodes() const { return options_.placement.nodes; }
  void forget_first_host() const;

  RunOptions& options_;
  std::vector<int> planned_ranks_;  ///< of each place
  std::size_t next_spare_ = 0;      ///< in nodes()
  std::vector<std::string> left_out_;
};

}  // namespace sxb::launch
