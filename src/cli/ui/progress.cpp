#include "cli/ui/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "base/clock.h"
#include "base/units.h"
#include "cli/ui/cluster_line.h"
#include "cli/ui/fold.h"
#include "cli/ui/news.h"
#include "record/kinds/kinds.h"
#include "record/typed.h"

namespace sxb::cli {

void Progress::run_asked(const launch::RunOptions& options) {
  terminal_.say(cluster_line(cluster_facts(options)));
}

void Progress::run_started(const launch::RunStart& start) {
  status_.run_started(start);
  terminal_.say("run folder " + start.dir.string());
  const std::filesystem::path latest = start.dir.parent_path() / "latest";
  std::error_code ec;
  if (std::filesystem::exists(latest, ec) && !std::filesystem::is_symlink(latest, ec)) {
    terminal_.say(
        "", {"warning:", Colour::kYellow},
        fmt::format(" {} is no link, so it does not lead to this run; move it away", latest.string()));
  }
  if (!start.resumed) return;
  terminal_.say(fmt::format("resumed: {} of {} tasks have a result, {} to do", status_.done(), start.planned,
                            start.todo.size()));
}

void Progress::task_started(const plan::Task& task, int index, int total, int attempt) {
  status_.task_started(task, monotonic_ns());
  prefix_ = fmt::format("[{}/{}]", index, total);
  if (attempt > 1) prefix_ += fmt::format(" attempt {}", attempt);
  began_ns_ = monotonic_ns();
  latest_ = "starting";
  errors_.clear();
  draw(task);
}

void Progress::draw(const plan::Task& task) {
  const std::int64_t now = monotonic_ns();
  terminal_.status(fmt::format("{} · {} {} · {} · {}", status_.text(now), prefix_, name_of(task),
                               format_duration(now - began_ns_), latest_));
}

void Progress::show(const plan::Task& task, std::string latest) {
  latest_ = std::move(latest);
  draw(task);
}

void Progress::record(const plan::Task& task, const record::Record& record) {
  status_.record(task, record, monotonic_ns());
  if (const auto news = news_of(task, record)) latest_ = *news;
  if (record.kind == record::kind::kFinding) {
    const auto finding = record::read<record::Finding>(record);
    if (finding.severity == "error") errors_.emplace_back(finding.message, finding.help);
    if (finding.severity == "warning") {
      terminal_.say("", {"warning:", Colour::kYellow}, " " + indented(finding.message));
    }
  }
  draw(task);
}

void Progress::task_ended(const plan::Task& task, const launch::TaskOutcome& outcome) {
  status_.task_ended(task, outcome);
  const bool ok = outcome.code == ExitCode::kOk;
  std::string rest = fmt::format("  {:.1f} s", outcome.duration_s);
  if (ok && task.phase == plan::Phase::kSft) rest += "  " + latest_;
  if (!outcome.reason.empty()) rest += "\n      " + indented(outcome.reason);
  // The finding that the reason quotes knows what to do.
  const auto quoted = std::find_if(errors_.begin(), errors_.end(), [&](const auto& error) {
    return !error.first.empty() && outcome.reason.find(error.first) != std::string::npos;
  });
  if (quoted != errors_.end() && !quoted->second.empty()) rest += "\n      help: " + indented(quoted->second);
  terminal_.say(fmt::format("{} {}  ", prefix_, name_of(task)),
                {outcome.status, ok ? Colour::kGreen : Colour::kRed}, rest);
}

void Progress::task_retried(const plan::Task& task, const launch::TaskOutcome& outcome,
                            const std::string& spare) {
  std::string next = "trying again";
  if (!spare.empty()) next = fmt::format("node {} takes the place of {}", spare, outcome.failed_node);
  terminal_.say(
      fmt::format("{} {}  ", prefix_, name_of(task)), {outcome.status, Colour::kYellow},
      fmt::format("  {:.1f} s\n      {}\n      {}", outcome.duration_s, indented(outcome.reason), next));
}

std::string missed_lines(const std::vector<std::string>& missed) {
  constexpr std::size_t kMost = 10;
  std::string lines;
  for (std::size_t i = 0; i < std::min(kMost, missed.size()); ++i) {
    lines += (i == 0 ? "" : "\n") + missed[i];
  }
  if (missed.size() > kMost) {
    lines += fmt::format("\nand {} more verdicts that fail: see the report", missed.size() - kMost);
  }
  return lines;
}

void Progress::run_ended(const Ending& ending) {
  terminal_.clear();
  print_path(ending.report.empty() ? ending.run : ending.report);
  if (!ending.missed.empty()) terminal_.say(missed_lines(ending.missed));
  terminal_.say(fmt::format("{} of {} tasks ok", ending.ok, ending.planned));
  if (ending.interrupted) terminal_.say("interrupted; what was measured until then is kept");
  if (!ending.resume.empty()) terminal_.say("to do what is missing: " + ending.resume);
  if (!ending.to_report.empty())
    terminal_.say("no report was asked for (--phases); it is made by: " + ending.to_report);
}

void CheckProgress::task_started(const plan::Task& task, int index, int total, int attempt) {
  Progress::task_started(task, index, total, attempt);
  nodes_.clear();
}

void CheckProgress::record(const plan::Task& task, const record::Record& record) {
  Progress::record(task, record);
  if (record.kind == record::kind::kNode)
    nodes_.emplace_back(record.node, record::read<record::Node>(record));
}

void CheckProgress::task_ended(const plan::Task& task, const launch::TaskOutcome& outcome) {
  terminal_.clear();
  std::sort(nodes_.begin(), nodes_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  if (!nodes_.empty()) write_out(fold_facts(nodes_));
  Progress::task_ended(task, outcome);
}

void NcclProgress::task_started(const plan::Task& task, int index, int total, int attempt) {
  Progress::task_started(task, index, total, attempt);
  text_.emplace(plan::to_json(task.sweep));
}

void NcclProgress::record(const plan::Task& task, const record::Record& record) {
  Progress::record(task, record);
  text_->add(record);
  if (record.kind != record::kind::kCollective) return;
  print(text_->add_row(record));
}

void NcclProgress::task_ended(const plan::Task& task, const launch::TaskOutcome& outcome) {
  print(text_->finish());
  Progress::task_ended(task, outcome);
}

void NcclProgress::print(const std::string& text) {
  if (text.empty()) return;
  terminal_.clear();
  write_out(text);
}

}  // namespace sxb::cli
