// How far a run is: tasks done, running and failed, and when it may end.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "launch/head/observer.h"

namespace sxb::cli {

/// Pure: every call is given the monotonic time of what it tells.
class RunStatus {
 public:
  void run_started(const launch::RunStart& start);
  void task_started(const plan::Task& task, std::int64_t now_ns);
  void record(const plan::Task& task, const record::Record& record, std::int64_t now_ns);
  void task_ended(const plan::Task& task, const launch::TaskOutcome& outcome);

  int planned() const { return planned_; }
  int done() const { return done_; }  ///< have a result
  int failed() const { return failed_; }
  int running() const { return running_ ? 1 : 0; }

  /// Time left. A task that reports steps ends at its pace of steps; any other takes as long as the
  /// median of those of the same phase and model that are done. `at_least`: some tasks resemble none
  /// that is done, and are not counted. Nothing while nothing is known.
  struct Eta {
    std::int64_t ns = 0;
    bool at_least = false;
  };
  std::optional<Eta> eta(std::int64_t now_ns) const;

  /// "3 of 5 done, 1 running, 0 failed, ETA 06:10".
  std::string text(std::int64_t now_ns) const;

 private:
  std::optional<std::int64_t> expected_ns(const plan::Task& task) const;
  std::optional<std::int64_t> left_of_current_ns(std::int64_t now_ns) const;

  int planned_ = 0, done_ = 0, failed_ = 0;
  bool running_ = false;
  std::vector<plan::Task> todo_;  ///< not ended yet; the one that runs too
  plan::Task current_;
  std::int64_t began_ns_ = 0;
  std::int64_t first_step_ns_ = 0, last_step_ns_ = 0, first_step_ = 0, last_step_ = 0;
  std::map<std::string, std::vector<std::int64_t>> durations_ns_;  ///< by phase and model
};

}  // namespace sxb::cli
