// What the user sees while a run works.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "cli/terminal.h"
#include "launch/run.h"

namespace sxb::cli {

/// One line per finished task; on a terminal also a status line with the latest step or row.
class Progress : public launch::Observer {
 public:
  explicit Progress(Terminal& terminal) : terminal_(terminal) {}
  void run_started(const std::filesystem::path& dir) override;
  void task_started(const plan::Task& task, int index, int total) override;
  void record(const plan::Task& task, const record::Record& record) override;
  void task_ended(const plan::Task& task, const launch::TaskOutcome& outcome) override;

 protected:
  Terminal& terminal_;

 private:
  std::string prefix_;  ///< "[2/5]"
  std::int64_t began_ns_ = 0;
  std::string latest_;
  std::vector<std::pair<std::string, std::string>> errors_;  ///< message and help of the task's findings
};

/// Adds on stdout what the nodes are, folded.
class CheckProgress final : public Progress {
 public:
  using Progress::Progress;
  void record(const plan::Task& task, const record::Record& record) override;
  void task_ended(const plan::Task& task, const launch::TaskOutcome& outcome) override;

 private:
  std::vector<std::pair<std::string, Json>> nodes_;
};

/// Adds the sweep on stdout in nccl-tests' layout, row by row as it is measured.
class NcclProgress final : public Progress {
 public:
  using Progress::Progress;
  void task_started(const plan::Task& task, int index, int total) override;
  void record(const plan::Task& task, const record::Record& record) override;
  void task_ended(const plan::Task& task, const launch::TaskOutcome& outcome) override;

 private:
  std::vector<record::Record> devices_, rows_;
};

}  // namespace sxb::cli
