// What the user sees of a run while it works, and at its end.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "analysis/read/dataset.h"
#include "cli/ui/run_status.h"
#include "cli/ui/terminal.h"
#include "launch/head/observer.h"
#include "launch/head/run_options.h"
#include "record/kinds/node.h"
#include "report/nccl_tests/nccl_text.h"

namespace sxb::cli {

/// How a run ended, reports included.
struct Ending {
  ExitCode code = ExitCode::kOk;
  bool interrupted = false;
  int ok = 0, planned = 0;
  std::vector<std::string> missed;  ///< as report::Outcome
  std::string run, report;          ///< paths; no report if none was written
  std::string resume;     ///< the command that does what is missing; empty if nothing is, or it cannot
  std::string to_report;  ///< the command that writes the report, where none was asked for
};

/// The verdicts that fail, a line each; of many the first ones and where the others stand.
std::string missed_lines(const std::vector<std::string>& missed);

class Display : public launch::Observer {
 public:
  /// Before anything is started.
  virtual void run_asked(const launch::RunOptions& options) = 0;
  virtual void run_ended(const Ending& ending) = 0;
};

/// One line per finished task on stderr; on a terminal also a status line that moves: tasks done,
/// running and failed, ETA, the latest step or row. The path of the report goes to stdout.
class Progress : public Display {
 public:
  void run_asked(const launch::RunOptions& options) override;
  void run_started(const launch::RunStart& start) override;
  void task_started(const plan::Task& task, int index, int total, int attempt) override;
  void record(const plan::Task& task, const record::Record& record) override;
  void task_ended(const plan::Task& task, const launch::TaskOutcome& outcome) override;
  void task_retried(const plan::Task& task, const launch::TaskOutcome& outcome,
                    const std::string& spare) override;
  void run_ended(const Ending& ending) override;

 protected:
  /// What the status line says of the task from now on.
  void show(const plan::Task& task, std::string latest);

  Terminal terminal_;

 private:
  void draw(const plan::Task& task);

  RunStatus status_;
  std::string prefix_;  ///< "[2/5]"
  std::int64_t began_ns_ = 0;
  std::string latest_;
  std::vector<std::pair<std::string, std::string>> errors_;  ///< message and help of the task's findings
};

/// Adds on stdout what the nodes are, folded.
class CheckProgress final : public Progress {
 public:
  void task_started(const plan::Task& task, int index, int total, int attempt) override;
  void record(const plan::Task& task, const record::Record& record) override;
  void task_ended(const plan::Task& task, const launch::TaskOutcome& outcome) override;

 private:
  std::vector<std::pair<std::string, record::Node>> nodes_;
};

/// Adds the sweep on stdout in nccl-tests' layout, row by row as it is measured.
class NcclProgress final : public Progress {
 public:
  void task_started(const plan::Task& task, int index, int total, int attempt) override;
  void record(const plan::Task& task, const record::Record& record) override;
  void task_ended(const plan::Task& task, const launch::TaskOutcome& outcome) override;

 private:
  void print(const std::string& text);
  std::optional<report::NcclText> text_;  ///< of the current task
};

/// Adds the table of figures on stdout.
class GpuProgress final : public Progress {
 public:
  void task_started(const plan::Task& task, int index, int total, int attempt) override;
  void record(const plan::Task& task, const record::Record& record) override;
  void task_ended(const plan::Task& task, const launch::TaskOutcome& outcome) override;

 private:
  std::vector<analysis::Typed<record::GpuBench>> records_;
};

/// The status line sums up all devices; adds the table of devices on stdout.
class BurnProgress final : public Progress {
 public:
  void task_started(const plan::Task& task, int index, int total, int attempt) override;
  void record(const plan::Task& task, const record::Record& record) override;
  void task_ended(const plan::Task& task, const launch::TaskOutcome& outcome) override;

 private:
  struct Device {
    std::string node;
    int gpu = -1;
    double tflops = 0, work = 0, span_s = 0, mismatches = 0;  ///< the latest; TFLOP and seconds so far
  };
  std::map<int, Device> devices_;  ///< by rank
};

/// One JSON object a line on stdout, as docs/progress.md describes them; nothing on stderr.
class JsonProgress final : public Display {
 public:
  void run_asked(const launch::RunOptions& options) override;
  void run_started(const launch::RunStart& start) override;
  void task_started(const plan::Task& task, int index, int total, int attempt) override;
  void record(const plan::Task& task, const record::Record& record) override;
  void task_ended(const plan::Task& task, const launch::TaskOutcome& outcome) override;
  void task_retried(const plan::Task& task, const launch::TaskOutcome& outcome,
                    const std::string& spare) override;
  void run_ended(const Ending& ending) override;

 private:
  void print(const char* event, const Json& fields) const;
  void add_status(Json& fields) const;
  RunStatus status_;
  Json cluster_;
};

}  // namespace sxb::cli
