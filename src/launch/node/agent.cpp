#include "launch/node/agent.h"

#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <exception>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/output.h"
#include "launch/node/agent_input.h"
#include "launch/node/agent_task.h"
#include "launch/node/checkpoint_room.h"
#include "launch/node/clock_watch.h"
#include "launch/node/emitter.h"
#include "launch/node/evidence.h"
#include "launch/node/failure_severity.h"
#include "launch/node/head_watch.h"
#include "launch/node/node_data.h"
#include "launch/node/weights.h"
#include "launch/os/interrupt.h"
#include "launch/os/pause_watch.h"
#include "launch/os/process.h"
#include "metrics/gpu_faults.h"
#include "metrics/sampler.h"
#include "record/kinds/run.h"
#include "record/typed.h"

namespace sxb::launch {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
/// After a first failure: the time in which a rank that was killed may still be seen, so that it is
/// named rather than the peers that lost their connection to it.
constexpr std::int64_t kSettleNs = kSecond / 4;
/// The last lines of a rank that are told when it hangs.
constexpr std::size_t kLastLines = 5;
constexpr std::size_t kMaxLineShown = 300;

/// The agent's log goes to stderr, which the head keeps as logs/<node>.log. Times are UTC, as those of
/// the journal.
spdlog::logger make_log() {
  spdlog::logger log("agent", std::make_shared<spdlog::sinks::stderr_sink_st>());
  log.set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  return log;
}

class Agent {
 public:
  Agent(AgentTask task, Emitter& emitter, std::function<bool()> cut_off, bool heard_head)
      : task_(std::move(task)),
        emitter_(emitter),
        log_(make_log()),
        head_(to_ns(task_.timeouts.agent_silence_s),
              2 * to_ns(task_.timeouts.stop_s) + to_ns(task_.timeouts.evidence_s), std::move(cut_off),
              heard_head) {}

  /// The last record: how it ended, and each of its ranks.
  record::AgentEnd end(ExitCode code) const {
    record::AgentEnd end;
    end.exit_code = static_cast<int>(code);
    end.reason = ended_early_;
    for (const auto& [id, rank] : ranks_) {
      record::RankExit exit{rank.number, std::nullopt, std::nullopt, rank.proved};
      if (rank.status && rank.status->signal != 0) exit.signal = rank.status->signal;
      if (rank.status && rank.status->signal == 0) exit.exit_code = rank.status->code;
      end.ranks.push_back(exit);
    }
    return end;
  }

  ExitCode run() {
    if (const Status ready = prepare(); !ready.ok()) {
      log_.error("{}", format_errors(ready.errors()));
      for (const Error& error : ready.errors()) emitter_.emit_error("agent_failed", error);
      return ready.error().code;
    }
    if (const auto fault = gpu_fault()) {
      log_.error("{}", format_error(fault->error));
      emitter_.emit_error(fault->code, fault->error);
      return fault->error.code;
    }
    metrics::SamplerOptions options;
    options.interval_ns = task_.sample_interval_ns;
    options.gpus = task_.gpus;
    const metrics::Sampler sampler(options,
                                   [this](const Json& data) { emitter_.emit(record::kind::kSample, data); });
    if (const Status started = start_ranks(); !started.ok()) {
      emitter_.emit_error("rank_start", started.error());
      return started.error().code;
    }
    return supervise();
  }

 private:
  struct Rank {
    int number = 0;
    std::int64_t last_seen_ns = 0;
    std::string last_error;              ///< message of its last error finding
    std::deque<std::string> last_lines;  ///< of its log
    LineHash heard;                      ///< its wire lines
    bool proved = false;                 ///< its last record came, and says what was heard
    std::optional<ExitStatus> status;    ///< once it has ended
  };
  struct Failure {
    FailureSeverity severity = FailureSeverity::kNone;
    int rank = -1;
    std::string code;  ///< of the finding
    Error error;
  };

  Status prepare() {
    emitter_.emit(metrics::node_facts(task_.gpus));
    if (task_.task.phase != plan::Phase::kSft) return ok_status();
    SXB_RETURN_IF_ERROR(prepare_weights(task_.ranks, emitter_));
    SXB_ASSIGN_OR_RETURN(const NodeDataset dataset,
                         ensure_dataset(task_.task.model, task_.data_dir, [this] { return is_unwanted(); }));
    for (plan::RankTask& rank : task_.ranks) rank.dataset_dir = dataset.dir.string();
    if (task_.node_rank == 0) tell_remarks(dataset, emitter_);  // all nodes have the same
    return prepare_checkpoints(task_.ranks);
  }

  bool is_unwanted() const { return interrupts() > 0 || emitter_.broken() || head_.gone(); }

  std::optional<metrics::GpuFault> gpu_fault() const {
    const plan::RankTask& rank = task_.ranks.front();
    if (!rank.cuda) return std::nullopt;
    return metrics::find_gpu_fault(task_.node, task_.gpus, rank.world > 1);
  }

  std::optional<metrics::GpuFault> lost_gpu() {
    return find_lost_gpu(task_, [this] { return go_on_listening(); });
  }

  /// While something else is waited for: what ranks print must not fill their pipes. False after a second
  /// Ctrl-C.
  bool go_on_listening() {
    processes_.poll(50, [this](const ProcessEvent& event) { on_event(event); });
    return interrupts() < 2;
  }

  Status start_ranks() {
    const std::string self = self_executable();
    for (const plan::RankTask& rank : task_.ranks) {
      ProcessSpec spec;
      spec.argv = {self, "worker", "rank"};
      spec.env = rank_environment(task_, rank);
      spec.stdin_text = dump(plan::to_json(rank)) + "\n";
      spec.die_with_parent = true;
      SXB_ASSIGN_OR_RETURN(const int id, processes_.start(spec));
      Rank& started = ranks_[id];
      started.number = rank.rank;
      started.last_seen_ns = monotonic_ns();
      log_.info("{}: rank {} is process {}", task_.task.label(), rank.rank, processes_.pid(id));
    }
    return ok_status();
  }

  int grace_ms() const { return static_cast<int>(task_.timeouts.stop_s * 1000); }

  ExitCode supervise() {
    last_progress_ns_ = monotonic_ns();
    while (!processes_.empty()) {
      processes_.poll(200, [this](const ProcessEvent& event) { on_event(event); });
      notice_pause();
      const std::int64_t now = monotonic_ns();
      if (const auto jump = clock_.jump(now, wall_ns())) {
        emitter_.emit_finding("warning", "clock_jump", ClockWatch::describe("node " + task_.node, *jump));
      }
      if (is_unwanted()) return end_early();
      look_for_silence(now);
      if (failure_.severity > FailureSeverity::kNone && now >= failed_ns_ + kSettleNs) {
        stop_after_failure();
      }
    }
    if (failure_.severity == FailureSeverity::kNone) return ExitCode::kOk;
    stop_after_failure();
    return failure_.error.code;
  }

  /// While the agent does not run, its ranks may well have: their silence counts from now.
  void notice_pause() {
    const auto pause = pauses_.pause();
    if (!pause) return;
    for (auto& [id, rank] : ranks_) rank.last_seen_ns = monotonic_ns();
    emitter_.emit_finding("warning", "agent_paused",
                          PauseWatch::describe("the agent on node " + task_.node, *pause));
  }

  /// Tells the head first: ending the other ranks may take a while.
  void stop_after_failure() {
    if (stopping_) return;
    stopping_ = true;
    const bool silent = failure_.code == "rank_silent";
    if (auto fault = lost_gpu()) {  // the rank's own error is a consequence
      failure_.code = fault->code;
      failure_.error = std::move(fault->error);
    }
    emitter_.emit_error(failure_.code, failure_.error, failure_.rank);
    if (silent) tell_what_ranks_do();
    processes_.stop_all(grace_ms());
  }

  /// Sends what every rank does right now, before it is ended: the evidence of a hang.
  void tell_what_ranks_do() {
    for (const auto& [id, rank] : ranks_) {
      if (!processes_.running(id)) continue;
      const std::string lines =
          rank.last_lines.empty() ? "it has printed nothing" : "its last lines: " + join(rank.last_lines);
      emitter_.emit_finding("info", "rank_state",
                            {fmt::format("rank {} on node {}, process {}: {}; {}", rank.number, task_.node,
                                         processes_.pid(id), describe_process(processes_.pid(id)), lines),
                             "", "", ExitCode::kTaskFailed},
                            rank.number);
    }
    if (!task_.ranks.front().cuda) return;
    const auto ras = nccl_ras_evidence(task_, [this] { return go_on_listening(); });
    if (ras) emitter_.emit_finding("info", "nccl_ras", *ras);
  }

  static std::string join(const std::deque<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines) text += (text.empty() ? "" : " | ") + line.substr(0, kMaxLineShown);
    return text;
  }

  /// The head stops the agents of a task that hangs; so does Ctrl-C. Only a hang is worth evidence,
  /// and a rank that reported something just now does not hang.
  ExitCode end_early() {
    stopping_ = true;
    ended_early_ = head_.gone() ? record::AgentEnd::kHeadGone : record::AgentEnd::kTold;
    if (monotonic_ns() - last_progress_ns_ >= to_ns(task_.timeouts.stall_s) && !emitter_.broken()) {
      if (const auto fault = lost_gpu()) emitter_.emit_error(fault->code, fault->error);
      tell_what_ranks_do();
    }
    log_.warn(head_.gone() ? "the head is gone: ending the ranks" : "told to stop: ending the ranks");
    processes_.stop_all(grace_ms());
    while (!processes_.empty()) {
      if (interrupts() > 1) processes_.stop_all(0);
      processes_.poll(200, [this](const ProcessEvent& event) { on_event(event); });
    }
    return failure_.severity > FailureSeverity::kNone ? failure_.error.code : ExitCode::kInterrupted;
  }

  void on_event(const ProcessEvent& event) {
    Rank& rank = ranks_.at(event.id);
    if (event.kind == ProcessEvent::Kind::kExit) return on_exit(rank, event.status);
    rank.last_seen_ns = monotonic_ns();
    const auto wire = event.from_stderr ? std::nullopt : record::find_wire(event.line, task_.nonce);
    if (!wire) {
      log_.info("[rank {}] {}", rank.number, event.line);
      rank.last_lines.push_back(event.line);
      if (rank.last_lines.size() > kLastLines) rank.last_lines.pop_front();
      return;
    }
    const Result<record::Record> record =
        record::parse_line(wire->json, fmt::format("rank {} on node {}", rank.number, task_.node));
    if (!record.ok()) {
      log_.warn("[rank {}] {}", rank.number, event.line);
      return fail(rank.number, "rank_failed", record.error());
    }
    if (record->kind == record::kind::kRankEnd) {
      const auto end = record::read<record::RankEnd>(*record);
      rank.proved = end.lines == rank.heard.lines() && end.hash == rank.heard.hex();
    }
    rank.heard.add(event.line);
    if (record->kind == record::kind::kHeartbeat) return;
    if (record->kind == record::kind::kFinding) {
      const auto finding = record::read<record::Finding>(*record);
      if (finding.severity == "error") rank.last_error = finding.message;
    } else {
      last_progress_ns_ = rank.last_seen_ns;
    }
    emitter_.send(event.line);
  }

  void on_exit(Rank& rank, const ExitStatus& status) {
    rank.status = status;
    log_.log(status.ok() ? spdlog::level::info : spdlog::level::err, "rank {} ended: {}", rank.number,
             status.text());
    if (status.ok() && rank.proved) return;
    if (status.ok()) {
      return fail(
          rank.number, "rank_failed",
          Error{
              fmt::format("rank {} on node {} ended with exit code 0 and without its last record: something "
                          "that it loads ends the process, or its records were lost",
                          rank.number, task_.node),
              "", "logs/" + task_.node + ".log of the run has what the rank printed", ExitCode::kTaskFailed});
    }
    std::string what = fmt::format("rank {} on node {} ended: {}", rank.number, task_.node, status.text());
    if (!rank.last_error.empty())
      what = fmt::format("rank {} on node {}: {}", rank.number, task_.node, rank.last_error);
    // Libraries end processes with codes of their own: only with its last record the code is sxbench's.
    const bool known = rank.proved && (status.code == 2 || status.code == 3 || status.code == 4);
    const ExitCode code = known ? static_cast<ExitCode>(status.code) : ExitCode::kTaskFailed;
    fail(rank.number,
         status.signal != 0 ? "rank_killed"
         : known            ? "rank_error"
                            : "rank_failed",
         Error{what, "", "logs/" + task_.node + ".log of the run has what the rank printed", code});
  }

  void look_for_silence(std::int64_t now) {
    for (const auto& [id, rank] : ranks_) {
      if (!processes_.running(id) || now - rank.last_seen_ns < to_ns(task_.timeouts.rank_silence_s)) continue;
      fail(rank.number, "rank_silent",
           Error{fmt::format(
                     "rank {} on node {} has sent nothing for {} s: its process is stopped or its machine "
                     "is overloaded",
                     rank.number, task_.node, task_.timeouts.rank_silence_s),
                 "", "the finding rank_state says what the process did; timeouts.rank_silence_s is the limit",
                 ExitCode::kTaskFailed});
    }
  }

  /// Keeps the most telling failure; what happens once the ranks are being stopped is our own doing.
  void fail(int rank, const char* code, Error error) {
    const FailureSeverity severity = severity_of(code);
    if (stopping_ || failure_.severity >= severity) return;
    if (failure_.severity == FailureSeverity::kNone) failed_ns_ = monotonic_ns();
    failure_ = {severity, rank, code, std::move(error)};
  }

  AgentTask task_;
  Emitter& emitter_;
  spdlog::logger log_;
  ProcessSet processes_;
  std::map<int, Rank> ranks_;
  HeadWatch head_;
  ClockWatch clock_;
  PauseWatch pauses_;
  const char* ended_early_ = "";  ///< AgentEnd::reason
  Failure failure_;
  std::int64_t failed_ns_ = 0, last_progress_ns_ = 0;
  bool stopping_ = false;
};

/// As records, too: the head shows the first as the reason, with the name that it knows the node by.
ExitCode tell_why(Emitter& emitter, const Errors& errors) {
  emitter.emit_error("agent_failed", errors.front());
  record::AgentEnd end;
  end.exit_code = static_cast<int>(errors.front().code);
  emitter.end(end);
  write_stderr(format_errors(errors));
  return errors.front().code;
}

ExitCode run_agent(const AgentInput& input, Emitter& emitter, const std::string& bundle) {
  Result<AgentTask> task = agent_task_of(input.task);
  if (!task.ok()) return tell_why(emitter, task.errors());
  if (task->ranks.empty()) return tell_why(emitter, {{"an agent task needs ranks", "stdin", ""}});
  const Heartbeat heartbeat(emitter);
  Agent agent(std::move(*task), emitter, cut_off_where_nothing_is_sent(bundle), input.sign_of_life);
  const ExitCode code = agent.run();
  emitter.end(agent.end(code));
  return code;
}

}  // namespace

ExitCode run_agent_worker(const std::string& bundle) {
  count_interrupts();
  const Result<AgentInput> input = read_agent_input(bundle);
  if (!input.ok()) {  // nothing says what the head would take for a record
    write_stderr(format_errors(input.errors()));
    return input.error().code;
  }
  Emitter emitter(STDOUT_FILENO, origin_of(input->task));
  try {
    return run_agent(*input, emitter, bundle);
  } catch (const std::exception& exception) {
    return tell_why(emitter, {unexpected(exception)});
  }
}

}  // namespace sxb::launch
