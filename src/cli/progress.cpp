#include "cli/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "cli/fold.h"
#include "launch/task_run.h"
#include "sxbench/base/clock.h"
#include "sxbench/base/units.h"
#include "sxbench/report/report.h"

namespace sxb::cli {

void Progress::run_started(const std::filesystem::path& dir) { terminal_.say("run folder " + dir.string()); }

void Progress::task_started(const plan::Task& task, int index, int total) {
  prefix_ = fmt::format("[{}/{}]", index, total);
  began_ns_ = monotonic_ns();
  latest_ = "starting";
  errors_.clear();
  terminal_.status(fmt::format("{} {} · {}", prefix_, task.label(), latest_));
}

void Progress::record(const plan::Task& task, const record::Record& record) {
  if (record.kind == record::kind::kStep) latest_ = launch::step_line(task, record);
  if (record.kind == record::kind::kCollective) {
    latest_ = format_bytes(record.data.value("size_bytes", std::int64_t{0}));
  }
  if (record.kind == record::kind::kFinding && record.data.value("severity", "") == "error") {
    errors_.emplace_back(record.data.value("message", ""), record.data.value("help", ""));
  }
  if (record.kind == record::kind::kFinding && record.data.value("severity", "") == "warning") {
    terminal_.say(
        fmt::format("{} {}", terminal_.paint("warning:", Colour::kYellow), record.data.value("message", "")));
  }
  terminal_.status(fmt::format("{} {} · {} · {}", prefix_, task.label(),
                               format_duration(monotonic_ns() - began_ns_), latest_));
}

void Progress::task_ended(const plan::Task& task, const launch::TaskOutcome& outcome) {
  const bool ok = outcome.code == ExitCode::kOk;
  std::string line =
      fmt::format("{} {}  {}  {:.1f} s", prefix_, task.label(),
                  terminal_.paint(outcome.status, ok ? Colour::kGreen : Colour::kRed), outcome.duration_s);
  if (ok && task.phase == plan::Phase::kSft) line += "  " + latest_;
  if (!outcome.reason.empty()) line += "\n      " + outcome.reason;
  // The finding that the reason quotes knows what to do.
  const auto quoted = std::find_if(errors_.begin(), errors_.end(), [&](const auto& error) {
    return !error.first.empty() && outcome.reason.find(error.first) != std::string::npos;
  });
  if (quoted != errors_.end() && !quoted->second.empty()) line += "\n      help: " + quoted->second;
  terminal_.say(line);
}

void CheckProgress::record(const plan::Task& task, const record::Record& record) {
  Progress::record(task, record);
  if (record.kind == record::kind::kNode) nodes_.emplace_back(record.node, record.data);
}

void CheckProgress::task_ended(const plan::Task& task, const launch::TaskOutcome& outcome) {
  terminal_.clear();
  std::sort(nodes_.begin(), nodes_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  if (!nodes_.empty()) fmt::print("{}", fold_facts(nodes_));
  std::fflush(stdout);
  nodes_.clear();
  Progress::task_ended(task, outcome);
}

void NcclProgress::task_started(const plan::Task& task, int index, int total) {
  Progress::task_started(task, index, total);
  devices_.clear();
  rows_.clear();
}

void NcclProgress::record(const plan::Task& task, const record::Record& record) {
  Progress::record(task, record);
  if (record.kind == record::kind::kDevice) devices_.push_back(record);
  if (record.kind != record::kind::kCollective) return;
  terminal_.clear();
  if (rows_.empty()) {
    std::sort(devices_.begin(), devices_.end(), [](const auto& a, const auto& b) { return a.rank < b.rank; });
    fmt::print("{}", report::NcclText::header(plan::to_json(task.sweep), devices_));
  }
  rows_.push_back(record);
  fmt::print("{}", report::NcclText::row(record));
  std::fflush(stdout);
}

void NcclProgress::task_ended(const plan::Task& task, const launch::TaskOutcome& outcome) {
  if (!rows_.empty()) fmt::print("{}", report::NcclText::footer(rows_));
  std::fflush(stdout);
  Progress::task_ended(task, outcome);
}

}  // namespace sxb::cli
