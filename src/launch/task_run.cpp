#include "launch/task_run.h"

#include <fmt/format.h>

#include <algorithm>

#include "launch/interrupt.h"
#include "launch/rendezvous_host.h"
#include "sxbench/base/clock.h"
#include "sxbench/base/hash.h"
#include "sxbench/base/units.h"

namespace sxb::launch {
namespace {

constexpr int kGraceMs = 5000;  ///< more than an agent gives its ranks
/// After a first failure: the time in which another node may still tell the cause of it.
constexpr std::int64_t kSettleNs = 600'000'000;

/// A rank that was killed explains why its peers lost it, not the other way round.
int severity_of(const std::string& finding_code) {
  if (finding_code == "rank_killed") return 5;
  if (finding_code == "rank_silent") return 4;
  if (finding_code == "rank_failed" || finding_code == "rank_start" || finding_code == "agent_failed")
    return 2;
  return 0;
}

bool shows_progress(const record::Record& record) {
  return record.kind != record::kind::kSample && record.kind != record::kind::kHeartbeat;
}

}  // namespace

std::string step_line(const plan::Task& task, const record::Record& step) {
  const auto number = [&](const char* key) -> std::optional<double> {
    const auto it = step.data.find(key);
    if (it == step.data.end() || !it->is_number()) return std::nullopt;
    return it->get<double>();
  };
  std::string line = fmt::format("step {:.0f}/{}", number("step").value_or(0), task.model.training.steps);
  if (const auto v = number("loss")) line += fmt::format("  loss {:.4f}", *v);
  if (const auto v = number("lr")) line += fmt::format("  lr {:.2e}", *v);
  if (const auto v = number("tokens_per_s")) line += fmt::format("  {:.0f} tokens/s", *v);
  if (const auto v = number("mfu")) line += fmt::format("  MFU {:.1f} %", *v * 100);
  if (const auto v = number("memory_bytes")) line += "  " + format_bytes(static_cast<std::int64_t>(*v));
  return line;
}

TaskRun::TaskRun(const RunOptions& options, const plan::Task& task, Transport& transport, Journal& journal,
                 Observer& observer)
    : options_(options), task_(task), transport_(transport), journal_(journal), observer_(observer) {}

Result<TaskOutcome> TaskRun::run() {
  const std::int64_t began = monotonic_ns();
  last_progress_ns_ = began;
  if (const Status started = start_agents(); !started.ok()) {
    const Error& error = started.error();
    fail({6, error.where, -1, error.what, error.code});
    stop_all(0);
  }
  watch();
  SXB_RETURN_IF_ERROR(journal_status_);
  return outcome(began);
}

Status TaskRun::start_agents() {
  int port = options_.cluster.rendezvous.port;
  if (port == 0) {
    SXB_ASSIGN_OR_RETURN(port, free_port());
  }
  config::Cluster cluster = options_.cluster;
  SXB_ASSIGN_OR_RETURN(cluster.rendezvous.host, rendezvous_host(cluster, options_.layout.nodes.front().node,
                                                                options_.program, transport_));
  for (const AgentTask& agent :
       agent_tasks(cluster, options_.layout, task_, options_.settings, port, random_token())) {
    const config::Node& node = options_.layout.nodes[static_cast<std::size_t>(agent.node_rank)].node;
    Result<int> job =
        transport_.start(node, {options_.program, "worker", "agent"}, {}, to_json(agent).dump() + "\n");
    if (!job.ok()) return Error{job.error().what, node.name, job.error().help, ExitCode::kEnvironment};
    agents_[*job] = {node.name, true, false, monotonic_ns()};
  }
  return ok_status();
}

void TaskRun::watch() {
  while (any_running()) {
    transport_.poll(200, [this](const TransportEvent& event) { on_event(event); });
    const std::int64_t now = monotonic_ns();
    check_bounds(now);
    const bool failed = failure_.severity > 0 && now >= failed_ns_ + kSettleNs;
    if (!stopping_ && (failed || interrupts() > 0 || !journal_status_.ok())) stop_all(kGraceMs);
    if (interrupts() > 1) stop_all(0);
  }
}

void TaskRun::check_bounds(std::int64_t now) {
  for (auto& [job, agent] : agents_) {
    if (!agent.running || !agent.started || now - agent.last_seen_ns < options_.bounds.agent_silence_ns)
      continue;
    fail({3, agent.node, -1,
          fmt::format("node {} has sent nothing for {}: it is down, cut off or overloaded", agent.node,
                      format_duration(options_.bounds.agent_silence_ns)),
          ExitCode::kEnvironment});
    transport_.stop(job, 0);
    agent.last_seen_ns = now;
  }
  if (stopping_ || now - last_progress_ns_ < options_.bounds.stall_ns) return;
  fail({1, "", -1,
        fmt::format("no rank has made progress for {}: the ranks wait for each other or for storage",
                    format_duration(options_.bounds.stall_ns)),
        ExitCode::kTaskFailed});
}

void TaskRun::on_event(const TransportEvent& event) {
  const auto it = agents_.find(event.job);
  if (it == agents_.end()) return;
  Agent& agent = it->second;
  agent.last_seen_ns = monotonic_ns();
  switch (event.kind) {
    case TransportEvent::Kind::kExit:
      return on_exit(agent, event.status);
    case TransportEvent::Kind::kLost:
      agent.running = false;
      return fail({3, agent.node, -1, fmt::format("node {} was lost: {}", agent.node, event.loss.what),
                   ExitCode::kEnvironment});
    case TransportEvent::Kind::kStarted:
      agent.started = true;
      last_progress_ns_ = agent.last_seen_ns;
      return;
    case TransportEvent::Kind::kLine:
      break;
  }
  const std::string_view prefix = record::kWirePrefix;
  if (!event.from_stderr && event.line.compare(0, prefix.size(), prefix) == 0) {
    return on_record(agent, event.line.substr(prefix.size()));
  }
  keep(journal_.log(agent.node, event.line));
}

void TaskRun::on_record(Agent& agent, const std::string& text) {
  const Result<Json> json = parse_json(text, agent.node);
  const Result<record::Record> parsed =
      json.ok() ? record::parse_record(*json, agent.node) : Result<record::Record>(json.errors());
  if (!parsed.ok()) {
    keep(journal_.log(agent.node, record::kWirePrefix + text));
    return fail({2, agent.node, -1,
                 fmt::format("node {} sent a broken record: {}", agent.node, parsed.error().what),
                 ExitCode::kEnvironment});
  }
  record::Record record = *parsed;
  if (record.node.empty()) record.node = agent.node;  // an agent that could not read its task has no name
  if (shows_progress(record)) last_progress_ns_ = agent.last_seen_ns;
  keep(journal_.append(record));
  if (record.kind == record::kind::kStep) keep(journal_.log("steps", step_line(task_, record)));
  if (record.kind == record::kind::kFinding) {
    const std::string message = record.data.value("message", "");
    fail({severity_of(record.data.value("code", "")), record.node, record.rank, message,
          ExitCode::kTaskFailed});
  }
  observer_.record(task_, record);
}

void TaskRun::on_exit(Agent& agent, const ExitStatus& status) {
  agent.running = false;
  if (status.ok()) return;
  if (failure_.node == agent.node && status.signal == 0 &&
      status.code != static_cast<int>(ExitCode::kInterrupted)) {
    failure_.code = static_cast<ExitCode>(status.code);
  }
  fail({status.signal != 0 ? 3 : 1, agent.node, -1,
        fmt::format("the agent on node {} ended: {} (logs/{}.log)", agent.node, status.text(), agent.node),
        ExitCode::kTaskFailed});
}

/// Keeps the most telling failure; what happens once the agents are being stopped is our own doing.
void TaskRun::fail(Failure failure) {
  if (stopping_ || failure.severity <= failure_.severity) return;
  if (failure_.severity == 0) failed_ns_ = monotonic_ns();
  failure_ = std::move(failure);
}

void TaskRun::stop_all(int grace_ms) {
  stopping_ = true;
  for (const auto& [job, agent] : agents_) {
    if (agent.running) transport_.stop(job, grace_ms);
  }
}

bool TaskRun::any_running() const {
  return std::any_of(agents_.begin(), agents_.end(), [](const auto& entry) { return entry.second.running; });
}

TaskOutcome TaskRun::outcome(std::int64_t began_ns) const {
  TaskOutcome result;
  result.duration_s = static_cast<double>(monotonic_ns() - began_ns) * 1e-9;
  if (failure_.severity > 0) {
    result.status = "failed";
    result.reason = failure_.reason;
    result.failed_node = failure_.node;
    result.failed_rank = failure_.rank;
    result.code = failure_.code;
  } else if (interrupts() > 0) {
    result.status = "interrupted";
    result.reason = "stopped by Ctrl-C or SIGTERM";
    result.code = ExitCode::kInterrupted;
  }
  return result;
}

void TaskRun::keep(const Status& status) {
  if (!status.ok() && journal_status_.ok()) journal_status_ = status;
}

}  // namespace sxb::launch
