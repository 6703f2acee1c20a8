// Progress for programs. docs/progress.md is its contract: keys are added, never changed.
#include <fmt/format.h>

#include <set>
#include <string>

#include "base/clock.h"
#include "cli/ui/cluster_line.h"
#include "cli/ui/progress.h"

namespace sxb::cli {
namespace {

Json or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

void add_outcome(const launch::TaskOutcome& outcome, Json& fields) {
  fields["status"] = outcome.status;
  fields["reason"] = outcome.reason;
  fields["failed_node"] = or_null(outcome.failed_node);
  fields["failed_rank"] = outcome.failed_rank < 0 ? Json(nullptr) : Json(outcome.failed_rank);
  fields["duration_s"] = outcome.duration_s;
}

}  // namespace

void JsonProgress::print(const char* event, const Json& fields) const {
  Json line = {{"v", 1}, {"event", event}, {"time", format_utc(wall_ns())}};
  line.update(fields);
  print_out("{}\n", dump(line));
}

void JsonProgress::add_status(Json& fields) const {
  const auto eta = status_.eta(monotonic_ns());
  fields["done"] = status_.done();
  fields["running"] = status_.running();
  fields["failed"] = status_.failed();
  fields["planned"] = status_.planned();
  fields["eta_s"] = eta ? Json(static_cast<double>(eta->ns) * 1e-9) : Json(nullptr);
  fields["eta_at_least"] = eta ? eta->at_least : true;
}

void JsonProgress::run_asked(const launch::RunOptions& options) {
  const ClusterFacts facts = cluster_facts(options);
  cluster_ = {{"name", facts.name},
              {"from", facts.from},
              {"nodes", facts.nodes},
              {"ranks", facts.ranks},
              {"device", facts.cuda ? "cuda" : "cpu"}};
}

void JsonProgress::run_started(const launch::RunStart& start) {
  status_.run_started(start);
  Json fields = {{"run", start.dir.string()}, {"resumed", start.resumed}, {"cluster", cluster_}};
  add_status(fields);
  print("run_started", std::move(fields));
}

void JsonProgress::task_started(const plan::Task& task, int index, int, int attempt) {
  status_.task_started(task, monotonic_ns());
  Json fields = {{"task", task.id},          {"label", task.label()}, {"phase", plan::to_string(task.phase)},
                 {"nodes", task.nodes},      {"index", index},        {"attempt", attempt},
                 {"repeat", task.repeat + 1}};
  add_status(fields);
  print("task_started", std::move(fields));
}

void JsonProgress::record(const plan::Task& task, const record::Record& record) {
  status_.record(task, record, monotonic_ns());
  Json fields = {{"task", task.id}};
  static const std::set<std::string> kShown = {record::kind::kStep,        record::kind::kCollective,
                                               record::kind::kLocateNode,  record::kind::kLocateLink,
                                               record::kind::kLocateGroup, record::kind::kGpuBench,
                                               record::kind::kBurn};
  if (kShown.contains(record.kind)) {
    fields["kind"] = record.kind;
    if (record.kind == record::kind::kGpuBench || record.kind == record::kind::kBurn) {
      fields["node"] = record.node;
      fields["rank"] = record.rank;
    }
    fields["data"] = record.data;
    add_status(fields);
    print("progress", std::move(fields));
  } else if (record.kind == record::kind::kFinding) {
    fields["node"] = or_null(record.node);
    fields["rank"] = record.rank < 0 ? Json(nullptr) : Json(record.rank);
    fields.update(record.data);
    print("finding", std::move(fields));
  }
}

void JsonProgress::task_ended(const plan::Task& task, const launch::TaskOutcome& outcome) {
  status_.task_ended(task, outcome);
  Json fields = {{"task", task.id}, {"label", task.label()}};
  add_outcome(outcome, fields);
  fields["exit_code"] = static_cast<int>(outcome.code);
  add_status(fields);
  print("task_ended", std::move(fields));
}

void JsonProgress::task_retried(const plan::Task& task, const launch::TaskOutcome& outcome,
                                const std::string& spare) {
  Json fields = {{"task", task.id}, {"label", task.label()}};
  add_outcome(outcome, fields);
  fields["spare"] = or_null(spare);
  print("task_retried", std::move(fields));
}

void JsonProgress::run_ended(const Ending& ending) {
  print("run_ended", {{"exit_code", static_cast<int>(ending.code)},
                      {"interrupted", ending.interrupted},
                      {"ok", ending.ok},
                      {"planned", ending.planned},
                      {"goals_met", ending.report.empty() ? Json(nullptr) : Json(ending.missed.empty())},
                      {"missed", ending.missed},
                      {"run", ending.run},
                      {"report", or_null(ending.report)},
                      {"resume", or_null(ending.resume)}});
}

}  // namespace sxb::cli
