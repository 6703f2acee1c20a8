#include "launch/head/task_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/secret.h"
#include "base/json.h"
#include "base/units.h"
#include "launch/head/head_record.h"
#include "launch/head/rendezvous_host.h"
#include "launch/head/step_line.h"
#include "launch/os/interrupt.h"
#include "record/kinds/run.h"
#include "record/kinds/training.h"
#include "record/typed.h"

namespace sxb::launch {
namespace {

/// After a first failure: the time in which another node may still tell the cause of it.
constexpr std::int64_t kSettleNs = 600'000'000;
/// An agent that was killed is given this long to be seen ended, then it is given up.
constexpr std::int64_t kForcedNs = 5'000'000'000;
constexpr std::int64_t kBeatNs = 1'000'000'000;

/// Findings of the kind that a hanging task leaves on every node.
bool is_evidence(const std::string& finding_code) {
  return finding_code == "rank_state" || finding_code == "nccl_ras";
}

bool shows_progress(const record::Record& record) {
  return record.kind != record::kind::kSample && record.kind != record::kind::kHeartbeat;
}

}  // namespace

TaskRun::TaskRun(const RunOptions& options, const plan::Task& task, Transport& transport, Journal& journal,
                 Observer& observer)
    : options_(options), task_(task), transport_(transport), journal_(journal), observer_(observer) {}

Result<TaskOutcome> TaskRun::run() {
  began_ns_ = last_progress_ns_ = monotonic_ns();
  if (const Status started = start_agents(); !started.ok()) {
    const Error& error = started.error();
    fail({FailureSeverity::kNotStarted, error.where, -1, error.what, error.code, false, true});
    stop_all(0);
  }
  watch();
  SXB_RETURN_IF_ERROR(journal_status_);
  return outcome();
}

Status TaskRun::start_agents() {
  int port = options_.cluster.rendezvous.port;
  if (port == 0) {
    SXB_ASSIGN_OR_RETURN(port, free_port());
  }
  config::Cluster cluster = options_.cluster;
  SXB_ASSIGN_OR_RETURN(
      cluster.rendezvous.host,
      rendezvous_host(cluster, options_.placement.nodes.front().node, options_.program, transport_));
  const AgentTasks agents(cluster, options_.placement, task_, options_.settings, port, random_token());
  for (int i = 0; i < agents.size(); ++i) {
    const config::Node& node = options_.placement.nodes[static_cast<std::size_t>(i)].node;
    Result<int> job =
        transport_.start(node, {options_.program, "worker", "agent"}, {}, dump(to_json(agents[i])) + "\n");
    if (!job.ok()) return Error{job.error().what, node.name, job.error().help, ExitCode::kEnvironment};
    agents_[*job] = {node.name, true, false, monotonic_ns(), "", false};
  }
  return ok_status();
}

void TaskRun::watch() {
  const config::Timeouts& timeouts = options_.cluster.timeouts;
  // An agent first collects evidence and gives its ranks stop_s; a second is for the way to it.
  const int grace_ms = static_cast<int>((timeouts.evidence_s + timeouts.stop_s + 1) * 1000);
  while (any_running()) {
    transport_.poll(200, [this](const TransportEvent& event) { on_event(event); });
    write_samples();
    const std::int64_t now = monotonic_ns();
    if (const auto jump = clock_.jump(now, wall_ns())) {
      const record::Record finding =
          head_finding(task_.id, "warning", "clock_jump", ClockWatch::describe("the head", *jump));
      keep(journal_.append(finding));
      observer_.record(task_, finding);
    }
    tell_agents(now);
    check_bounds(now);
    if (!stopping_ && (verdict_stands(now) || interrupts() > 0 || !journal_status_.ok())) stop_all(grace_ms);
    if (interrupts() > 1 && forced_ns_ == 0) force_end(now);
    if (stopping_ && forced_ns_ == 0 && now - stopped_ns_ > to_ns(grace_ms * 1e-3) + kForcedNs)
      force_end(now);
    if (forced_ns_ != 0 && now - forced_ns_ > kForcedNs) return;  // the transport does not see it end
  }
}

/// A failure that a lost node may have caused waits until every other node has been heard of since.
bool TaskRun::verdict_stands(std::int64_t now) const {
  if (failure_.severity == FailureSeverity::kNone || now < failed_ns_ + kSettleNs) return false;
  if (failure_.severity >= FailureSeverity::kLost ||
      now >= failed_ns_ + to_ns(options_.cluster.timeouts.agent_silence_s)) {
    return true;
  }
  return std::all_of(agents_.begin(), agents_.end(), [&](const auto& entry) {
    const RemoteAgent& agent = entry.second;
    return !agent.running || !agent.started || agent.last_seen_ns > failed_ns_;
  });
}

/// A sign of life every second; HeadWatch waits for it on the other side.
void TaskRun::tell_agents(std::int64_t now) {
  if (stopping_ || now - told_ns_ < kBeatNs) return;
  told_ns_ = now;
  for (const auto& [job, agent] : agents_) {
    if (agent.running) transport_.send(job, "\n");
  }
}

void TaskRun::force_end(std::int64_t now) {
  stop_all(0);
  forced_ns_ = now;
}

void TaskRun::check_bounds(std::int64_t now) {
  const config::Timeouts& timeouts = options_.cluster.timeouts;
  for (auto& [job, agent] : agents_) {
    if (!agent.running || !agent.started || now - agent.last_seen_ns < to_ns(timeouts.agent_silence_s))
      continue;
    fail({FailureSeverity::kLost, agent.node, -1,
          fmt::format("node {} has sent nothing for {}: it is down, cut off or overloaded", agent.node,
                      format_duration(to_ns(timeouts.agent_silence_s))),
          ExitCode::kEnvironment, false, true});
    transport_.stop(job, 0);
    agent.last_seen_ns = now;
  }
  if (stopping_ || now - last_progress_ns_ < to_ns(timeouts.stall_s)) return;
  fail({FailureSeverity::kUnexplained, "", -1,
        fmt::format("no rank has made progress for {}: the ranks wait for each other or for storage; the "
                    "findings rank_state say what each did",
                    format_duration(to_ns(timeouts.stall_s))),
        ExitCode::kTaskFailed, true, false});
}

void TaskRun::on_event(const TransportEvent& event) {
  const auto it = agents_.find(event.job);
  if (it == agents_.end()) return;
  RemoteAgent& agent = it->second;
  agent.last_seen_ns = monotonic_ns();
  switch (event.kind) {
    case TransportEvent::Kind::kExit:
      return on_exit(agent, event.status);
    case TransportEvent::Kind::kLost:
      return on_lost(agent, event.loss);
    case TransportEvent::Kind::kStarted:
      agent.started = true;
      last_progress_ns_ = agent.last_seen_ns;
      return;
    case TransportEvent::Kind::kLine:
      break;
  }
  const std::string_view prefix = record::kWirePrefix;
  if (!event.from_stderr && event.line.compare(0, prefix.size(), prefix) == 0) {
    if (take_sample(event.job, agent, std::string_view(event.line).substr(prefix.size()))) return;
    return on_record(agent, event.line.substr(prefix.size()));
  }
  keep(journal_.log(agent.node, event.line));
}

/// Nearly all lines are samples (8 GPUs at 10 Hz on 1,024 nodes: 82,000 a second), and the head needs nothing
/// from them: one that is as record::to_wire() makes it is checked for being JSON and written as it is.
bool TaskRun::take_sample(int job, RemoteAgent& agent, std::string_view text) {
  constexpr std::string_view kBegin = R"({"v":1,"kind":"sample","task":")", kNode = R"(","node":")",
                             kEnd = R"(",)";
  std::string_view rest = text;
  for (const std::string_view part :
       {kBegin, std::string_view(task_.id), kNode, std::string_view(agent.node), kEnd}) {
    if (!rest.starts_with(part)) return false;
    rest.remove_prefix(part.size());
  }
  if (!is_json(text)) return false;
  if (agent.samples.empty()) sampled_.push_back(job);
  agent.samples.append(text).push_back('\n');
  return true;
}

void TaskRun::write_samples() {
  for (const int job : std::exchange(sampled_, {})) {
    RemoteAgent& agent = agents_.at(job);
    // Given back, not cleared: a thousand nodes would each keep the memory of their longest backlog.
    keep(journal_.append_samples(task_.id, agent.node, std::exchange(agent.samples, {})));
  }
}

void TaskRun::on_record(RemoteAgent& agent, const std::string& text) {
  const Result<record::Record> parsed = record::parse_line(text, agent.node);
  if (!parsed.ok()) {
    keep(journal_.log(agent.node, record::kWirePrefix + text));
    return fail({FailureSeverity::kRankFailed, agent.node, -1,
                 fmt::format("node {} sent a broken record: {}", agent.node, parsed.error().what),
                 ExitCode::kEnvironment});
  }
  record::Record record = *parsed;
  if (record.node.empty()) record.node = agent.node;  // an agent that could not read its task has no name
  if (const Status fits = record::check(record, agent.node); !fits.ok()) {
    return on_misfit(agent, text, fits.error());
  }
  if (record.kind == record::kind::kFinding) return on_finding(agent, record);
  if (shows_progress(record)) last_progress_ns_ = agent.last_seen_ns;
  keep(journal_.append(record));
  if (record.kind == record::kind::kStep)
    keep(journal_.log("steps", step_line(record::read<record::Step>(record), task_.model.training.steps)));
  observer_.record(task_, record);
}

/// Neither a failure nor a figure: what cannot be read stays in the node's log, and the report says so once.
void TaskRun::on_misfit(RemoteAgent& agent, const std::string& text, const Error& error) {
  keep(journal_.log(agent.node, record::kWirePrefix + text));
  if (std::exchange(agent.sent_misfit, true)) return;
  record::Record finding = head_finding(
      task_.id, "warning", "broken_record",
      {fmt::format("node {} sent something that is left out: {}", agent.node, error.what), "",
       fmt::format("logs/{}.log of the run has them: {}", agent.node, error.help), ExitCode::kOk});
  finding.node = agent.node;
  keep(journal_.append(finding));
  observer_.record(task_, finding);
}

void TaskRun::on_finding(const RemoteAgent& agent, const record::Record& record) {
  const auto finding = record::read<record::Finding>(record);
  const FailureSeverity severity = severity_of(finding.code);
  fail({severity, record.node, record.rank, finding.message, ExitCode::kTaskFailed,
        severity == FailureSeverity::kRankSilent, severity == FailureSeverity::kRankSilent});
  if (is_evidence(finding.code)) {
    keep(journal_.log(agent.node, finding.message));
    if (!failure_.hang) return;  // stopped for another reason: nobody asks what its ranks did
  }
  keep(journal_.append(record));
  observer_.record(task_, record);
}

void TaskRun::on_lost(RemoteAgent& agent, const Loss& loss) {
  agent.running = false;
  const std::string reason = fmt::format("node {} was lost: {}", agent.node, loss.what);
  fail({FailureSeverity::kLost, agent.node, -1, reason, ExitCode::kEnvironment, false, true});
  if (failure_.reason != reason) return;  // it is a consequence: of another loss, or of stop_all()
  record::Record finding = head_finding(task_.id, "error", "node_lost", {reason, "", loss.help, {}});
  finding.node = agent.node;
  keep(journal_.append(finding));
  observer_.record(task_, finding);
}

void TaskRun::on_exit(RemoteAgent& agent, const ExitStatus& status) {
  agent.running = false;
  if (status.ok()) return;
  if (failure_.node == agent.node && status.signal == 0 &&
      status.code != static_cast<int>(ExitCode::kInterrupted)) {
    failure_.code = static_cast<ExitCode>(status.code);
    failure_.node_fault = failure_.node_fault || failure_.code == ExitCode::kEnvironment;
  }
  const bool killed = status.signal != 0;
  fail({killed ? FailureSeverity::kLost : FailureSeverity::kUnexplained, agent.node, -1,
        fmt::format("the agent on node {} ended: {} (logs/{}.log)", agent.node, status.text(), agent.node),
        killed ? ExitCode::kEnvironment : ExitCode::kTaskFailed, false, killed});
}

/// Keeps the most telling failure; what happens once the agents are being stopped is our own doing.
void TaskRun::fail(Failure failure) {
  if (stopping_ || failure.severity <= failure_.severity) return;
  if (failure_.severity == FailureSeverity::kNone) failed_ns_ = monotonic_ns();
  failure_ = std::move(failure);
}

void TaskRun::stop_all(int grace_ms) {
  if (!stopping_) stopped_ns_ = monotonic_ns();
  if (!stopping_ && failure_.severity > FailureSeverity::kNone) {
    verdict_s_ = static_cast<double>(stopped_ns_ - began_ns_) * 1e-9;
  }
  stopping_ = true;
  for (const auto& [job, agent] : agents_) {
    if (agent.running) transport_.stop(job, grace_ms);
  }
}

bool TaskRun::any_running() const {
  return std::any_of(agents_.begin(), agents_.end(), [](const auto& entry) { return entry.second.running; });
}

TaskOutcome TaskRun::outcome() const {
  TaskOutcome result;
  result.duration_s = static_cast<double>(monotonic_ns() - began_ns_) * 1e-9;
  if (failure_.severity > FailureSeverity::kNone) {
    result.status = "failed";
    result.node_fault = failure_.node_fault;
    result.verdict_s = verdict_s_ > 0 ? verdict_s_ : result.duration_s;
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
