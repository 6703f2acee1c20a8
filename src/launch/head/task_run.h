// One task on its nodes, from the start of the agents to the last exit.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "launch/head/agent_end.h"
#include "launch/head/intake.h"
#include "launch/head/journal.h"
#include "launch/head/node_log.h"
#include "launch/head/observer.h"
#include "launch/head/run_options.h"
#include "launch/node/clock_watch.h"
#include "launch/node/failure_severity.h"
#include "launch/os/pause_watch.h"
#include "launch/transport/transport.h"
#include "plan/tally.h"

namespace sxb::launch {

class TaskRun {
 public:
  TaskRun(const RunOptions& options, const plan::Task& task, Transport& transport, Journal& journal,
          Observer& observer);

  /// An error is one of the journal; every other failure is an outcome.
  Result<TaskOutcome> run();

 private:
  struct RemoteAgent {
    std::string node;
    bool running = true;
    std::int64_t started_ns = 0;  ///< silence counts from the start that the transport reports
    std::int64_t last_seen_ns = 0;
    Intake intake;
    std::string samples;  ///< lines that came in this round of poll()
    NodeLog log;
    bool refused = false;  ///< it has sent what no sxbench sends: all else is log
  };
  Status start_agents();
  void watch();
  void check_bounds(std::int64_t now);
  void on_event(const TransportEvent& event);
  void on_line(int job, RemoteAgent& agent, const TransportEvent& event);
  void write_samples();
  void on_record(RemoteAgent& agent, record::Record record);
  void on_violation(RemoteAgent& agent, const Intake::Line& line);
  void log(RemoteAgent& agent, std::string_view text);
  void on_finding(const RemoteAgent& agent, const record::Record& record);
  void on_lost(RemoteAgent& agent, const Loss& loss);
  void on_exit(RemoteAgent& agent, const ExitStatus& status, const std::string& last_words);
  void notice_pause();
  bool was_away(std::int64_t now) const;
  void fail_for_pause();
  void want_all_records();
  void fail(TaskFailure failure);
  bool verdict_stands(std::int64_t now) const;
  bool others_may_be_absent(std::int64_t now) const;
  bool note_absent(const RemoteAgent& agent);
  void stop_all(int grace_ms);
  void tell_agents(std::int64_t now);
  void force_end(std::int64_t now);
  bool any_running() const;
  TaskOutcome outcome() const;
  void note(record::Record finding);
  void keep(const Status& status);

  const RunOptions& options_;
  const plan::Task& task_;
  Transport& transport_;
  Journal& journal_;
  Observer& observer_;
  std::map<int, RemoteAgent> agents_;
  std::vector<int> sampled_;  ///< jobs whose agents have samples to be written
  TaskFailure failure_;
  std::vector<std::string> absent_;  ///< nodes of which nothing was ever heard
  bool port_taken_ = false;
  std::int64_t began_ns_ = 0, failed_ns_ = 0, last_progress_ns_ = 0;
  std::int64_t stopped_ns_ = 0, forced_ns_ = 0,
               told_ns_ = 0;  ///< when the agents were told to end, and made to; 0 = not
  double verdict_s_ = 0;
  bool stopping_ = false;
  ClockWatch clock_;
  PauseWatch pauses_;
  plan::Tally tally_;
  Status journal_status_ = ok_status();
};

}  // namespace sxb::launch
