#include "launch/head/task_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/json.h"
#include "base/secret.h"
#include "base/text.h"
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

/// What is quoted of a line of somebody else.
constexpr std::size_t kMostWords = 300;
/// A node that is lost so soon after the head was away was lost to that.
constexpr std::int64_t kAfterPauseNs = 30'000'000'000;

}  // namespace

TaskRun::TaskRun(const RunOptions& options, const plan::Task& task, Transport& transport, Journal& journal,
                 Observer& observer)
    : options_(options),
      task_(task),
      transport_(transport),
      journal_(journal),
      observer_(observer),
      tally_(task, options.placement.places(task.nodes)) {}

Result<TaskOutcome> TaskRun::run() {
  began_ns_ = last_progress_ns_ = monotonic_ns();
  if (const Status started = start_agents(); !started.ok() && interrupts() == 0) {
    const Error& error = started.error();
    const bool told = error.code == ExitCode::kInterrupted;  // by Ctrl-C: nobody is at fault
    // The remedy belongs to the reason: nobody sees an error that starts nothing elsewhere.
    const std::string help = error.help.empty() ? "" : "; " + error.help;
    if (!told) {
      fail({FailureSeverity::kNotStarted, error.where, -1,
            fmt::format("node {}: {}{}", error.where, error.what, help), error.code, false, true, false});
    }
    stop_all(0);
  }
  watch();
  want_all_records();
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
    AgentTask agent = agents[i];
    Intake intake(mark(agent));
    Result<int> job =
        transport_.start(node, {options_.program, "worker", "agent"}, {}, dump(to_json(agent)) + "\n");
    if (!job.ok()) return Error{job.error().what, node.name, job.error().help, ExitCode::kEnvironment};
    agents_.emplace(*job, RemoteAgent{node.name, true, 0, monotonic_ns(), std::move(intake), "", {}, false});
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
    notice_pause();
    const std::int64_t now = monotonic_ns();
    if (const auto jump = clock_.jump(now, wall_ns())) {
      note(head_finding(task_.id, "warning", "clock_jump", ClockWatch::describe("the head", *jump)));
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

/// While the head does not run, nodes are not silent, and they may take it for gone: every limit starts anew.
void TaskRun::notice_pause() {
  const auto pause = pauses_.pause();
  if (!pause) return;
  const std::int64_t now = monotonic_ns();
  const std::int64_t away =
      std::min(*pause, now - began_ns_);  // the monotonic clock stands still in a suspend
  for (auto& [job, agent] : agents_) agent.last_seen_ns = now;
  for (std::int64_t* time : {&last_progress_ns_, &failed_ns_, &stopped_ns_, &forced_ns_}) {
    if (*time != 0) *time = std::min(now, *time + away);
  }
  note(head_finding(task_.id, "warning", "head_paused", PauseWatch::describe("the head", *pause)));
}

bool TaskRun::was_away(std::int64_t now_boot) const {
  return pauses_.total_ns() > 0 && now_boot - pauses_.last_end_ns() < kAfterPauseNs;
}

void TaskRun::fail_for_pause() {
  fail({FailureSeverity::kHeadAway, "", -1,
        fmt::format("the head did not run for {}, in which the nodes took it for gone and ended their ranks",
                    format_duration(pauses_.total_ns())),
        ExitCode::kEnvironment, false, false, true});
}

/// A task whose ranks ended well, but not all of whose figures are there, has not been measured.
void TaskRun::want_all_records() {
  if (failure_.severity != FailureSeverity::kNone || interrupts() > 0 || stopping_) return;
  const std::vector<std::string> missing = tally_.missing();
  if (missing.empty()) return;
  fail({FailureSeverity::kRankFailed, "", -1,
        "the ranks ended well, but not all came that the plan asks for: " + join(missing, "; "),
        ExitCode::kTaskFailed, false, false, false});
}

void TaskRun::note(record::Record finding) {
  keep(journal_.append(finding));
  observer_.record(task_, finding);
}

/// A failure that a lost node may have caused waits until every other node has been heard of since.
bool TaskRun::verdict_stands(std::int64_t now) const {
  if (failure_.severity == FailureSeverity::kNone || now < failed_ns_ + kSettleNs) return false;
  if (!absent_.empty() && others_may_be_absent(now)) return false;
  if (failure_.severity >= FailureSeverity::kLost ||
      now >= failed_ns_ + to_ns(options_.cluster.timeouts.agent_silence_s)) {
    return true;
  }
  return std::all_of(agents_.begin(), agents_.end(), [&](const auto& entry) {
    const RemoteAgent& agent = entry.second;
    return !agent.running || agent.started_ns == 0 || agent.last_seen_ns > failed_ns_;
  });
}

/// Where one node is not there, all that are not are to be named: a node has as long to be heard of as its
/// connection may take, for two addresses.
bool TaskRun::others_may_be_absent(std::int64_t now) const {
  return std::any_of(agents_.begin(), agents_.end(), [&](const auto& entry) {
    const RemoteAgent& agent = entry.second;
    return agent.running && !agent.intake.heard() &&
           (agent.started_ns == 0 ||
            now < agent.started_ns + to_ns(2 * options_.cluster.timeouts.connect_s) + kSettleNs);
  });
}

/// True once, of an agent that nothing was ever heard of. What ends because all are ended says nothing of its
/// node.
bool TaskRun::note_absent(const RemoteAgent& agent) {
  const bool told = std::find(absent_.begin(), absent_.end(), agent.node) != absent_.end();
  if (stopping_ || told || agent.intake.heard()) return false;
  absent_.push_back(agent.node);
  return true;
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
    if (!agent.running || agent.started_ns == 0 || now - agent.last_seen_ns < to_ns(timeouts.agent_silence_s))
      continue;
    note_absent(agent);
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
      notice_pause();  // before anybody is blamed for it
      return on_exit(agent, event.status, event.last_words);
    case TransportEvent::Kind::kLost:
      notice_pause();
      return on_lost(agent, event.loss);
    case TransportEvent::Kind::kStarted:
      agent.started_ns = last_progress_ns_ = agent.last_seen_ns;
      return;
    case TransportEvent::Kind::kLine:
      return on_line(event.job, agent, event);
  }
}

void TaskRun::on_line(int job, RemoteAgent& agent, const TransportEvent& event) {
  if (event.from_stderr || agent.refused) return log(agent, event.line);
  Intake::Line line = agent.intake.take(event.line);
  if (!line.before.empty()) log(agent, line.before);
  switch (line.kind) {
    case Intake::Line::Kind::kLog:
      return log(agent, line.text);
    case Intake::Line::Kind::kSample:
      if (agent.samples.empty()) sampled_.push_back(job);
      agent.samples.append(line.text).push_back('\n');
      return;
    case Intake::Line::Kind::kRecord:
      return on_record(agent, std::move(line.record));
    case Intake::Line::Kind::kViolation:
      return on_violation(agent, line);
  }
}

void TaskRun::log(RemoteAgent& agent, std::string_view text) {
  Result<std::optional<record::Record>> cut = agent.log.append(journal_, task_.id, agent.node, text);
  if (!cut.ok()) return keep(cut.errors());
  if (*cut) note(std::move(**cut));
}

void TaskRun::write_samples() {
  for (const int job : std::exchange(sampled_, {})) {
    RemoteAgent& agent = agents_.at(job);
    // Given back, not cleared: a thousand nodes would each keep the memory of their longest backlog.
    keep(journal_.append_samples(task_.id, agent.node, std::exchange(agent.samples, {})));
  }
}

void TaskRun::on_record(RemoteAgent& agent, record::Record record) {
  tally_.add(record);
  if (record.kind == record::kind::kHeartbeat) return;
  if (record.kind == record::kind::kFinding) return on_finding(agent, record);
  last_progress_ns_ = agent.last_seen_ns;
  keep(journal_.append(record));
  if (record.kind == record::kind::kStep)
    keep(journal_.log("steps", step_line(record::read<record::Step>(record), task_.model.training.steps)));
  observer_.record(task_, record);
}

/// Whatever answers there, no figure of it can be believed. The line stays as evidence, escaped.
void TaskRun::on_violation(RemoteAgent& agent, const Intake::Line& line) {
  log(agent, line.text.substr(0, std::min<std::size_t>(line.text.size(), 100 * kMostWords)));
  fail({FailureSeverity::kLost, agent.node, -1, line.error.what, ExitCode::kEnvironment, false, true, false});
  agent.refused = true;
  record::Record finding = head_finding(task_.id, "error", "foreign_record", line.error);
  finding.node = agent.node;
  note(std::move(finding));
}

void TaskRun::on_finding(const RemoteAgent& agent, const record::Record& record) {
  const auto finding = record::read<record::Finding>(record);
  port_taken_ = port_taken_ || finding.code == "rendezvous_port";
  const FailureSeverity severity = severity_of(finding.code);
  fail({severity, record.node, record.rank, finding.message, ExitCode::kTaskFailed,
        severity == FailureSeverity::kRankSilent, severity == FailureSeverity::kRankSilent});
  if (is_evidence(finding.code)) {
    keep(journal_.log(agent.node, finding.message));
    if (!failure_.hang) return;  // stopped for another reason: nobody asks what its ranks did
  }
  note(record);
}

void TaskRun::on_lost(RemoteAgent& agent, const Loss& loss) {
  agent.running = false;
  if (was_away(boot_ns())) return fail_for_pause();
  const std::string reason = fmt::format("node {} was lost: {}", agent.node, loss.what);
  fail({FailureSeverity::kLost, agent.node, -1, reason, ExitCode::kEnvironment, false, true});
  // If the node was there before, it is a consequence: of another loss, or of stop_all().
  const bool here = loss.kind == Loss::Class::kOther;  // what failed is this machine's
  if ((here || !note_absent(agent)) && failure_.reason != reason) return;
  record::Record finding = head_finding(task_.id, "error", "node_lost", {reason, "", loss.help, {}});
  finding.node = agent.node;
  note(std::move(finding));
}

void TaskRun::on_exit(RemoteAgent& agent, const ExitStatus& status, const std::string& last_words) {
  agent.running = false;
  if (stopping_) return;
  const std::optional<record::AgentEnd>& end = agent.intake.end();
  const bool told = status.code == static_cast<int>(ExitCode::kInterrupted);
  if ((end && end->reason == record::AgentEnd::kHeadGone) || (told && was_away(boot_ns()))) {
    return fail_for_pause();
  }
  const AgentExit exit = {agent.node, agent.intake, status, last_words};
  if (!agent.intake.heard()) {
    if (!note_absent(agent)) return;  // given up before
    const Error error = no_answer(exit, options_.program);
    fail({FailureSeverity::kLost, agent.node, -1, error.what, error.code, false, true, false});
    record::Record finding = head_finding(task_.id, "error", "no_answer", error);
    finding.node = agent.node;
    return note(std::move(finding));  // of every node: they may all have the same login shell
  }
  std::optional<TaskFailure> failure = failure_of(exit);
  if (!failure) return;
  if (failure_.node == agent.node && status.signal == 0 &&
      failure->severity == FailureSeverity::kUnexplained) {
    failure_.code = failure->code;  // the agent has told why, and now how
    failure_.node_fault = failure_.node_fault || failure->node_fault;
  }
  fail(std::move(*failure));
}

/// Keeps the most telling failure; what happens once the agents are being stopped is our own doing.
void TaskRun::fail(TaskFailure failure) {
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
    result.head_fault = failure_.head_fault;
    result.verdict_s = verdict_s_ > 0 ? verdict_s_ : result.duration_s;
    result.reason = failure_.reason + beside(failure_.node, absent_);
    result.absent_nodes = absent_;
    result.port_taken = port_taken_ && options_.cluster.rendezvous.port == 0;
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
