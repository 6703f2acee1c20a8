// One task on its nodes, from the start of the agents to the last exit.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "launch/head/run.h"
#include "launch/node/clock_watch.h"

namespace sxb::launch {

class TaskRun {
 public:
  TaskRun(const RunOptions& options, const plan::Task& task, Transport& transport, Journal& journal,
          Observer& observer);

  /// An error is one of the journal; every other failure is an outcome.
  Result<TaskOutcome> run();

 private:
  struct Agent {
    std::string node;
    bool running = true;
    bool started = false;  ///< silence counts from the start that the transport reports
    std::int64_t last_seen_ns = 0;
    std::string samples;  ///< lines that came in this round of poll()
  };
  struct Failure {
    int severity = 0;  ///< the higher, the nearer to the cause
    std::string node;
    int rank = -1;
    std::string reason;
    ExitCode code = ExitCode::kTaskFailed;
    bool hang = false;        ///< what the ranks were doing is evidence
    bool node_fault = false;  ///< another node may do better
  };

  Status start_agents();
  void watch();
  void check_bounds(std::int64_t now);
  void on_event(const TransportEvent& event);
  bool take_sample(int job, Agent& agent, std::string_view text);
  void write_samples();
  void on_record(Agent& agent, const std::string& text);
  void on_finding(const Agent& agent, const record::Record& record);
  void on_lost(Agent& agent, const Loss& loss);
  void on_exit(Agent& agent, const ExitStatus& status);
  void fail(Failure failure);
  bool verdict_stands(std::int64_t now) const;
  void stop_all(int grace_ms);
  void tell_agents(std::int64_t now);
  void force_end(std::int64_t now);
  bool any_running() const;
  TaskOutcome outcome() const;
  void keep(const Status& status);

  const RunOptions& options_;
  const plan::Task& task_;
  Transport& transport_;
  Journal& journal_;
  Observer& observer_;
  std::map<int, Agent> agents_;
  std::vector<int> sampled_;  ///< jobs whose agents have samples to be written
  Failure failure_;
  std::int64_t began_ns_ = 0, failed_ns_ = 0, last_progress_ns_ = 0;
  std::int64_t stopped_ns_ = 0, forced_ns_ = 0,
               told_ns_ = 0;  ///< when the agents were told to end, and made to; 0 = not
  double verdict_s_ = 0;
  bool stopping_ = false;
  ClockWatch clock_;
  Status journal_status_ = ok_status();
};

/// "step 12/50  loss 3.2101  lr 2.00e-05  1234 tokens/s  MFU 45.2 %  9.1 GiB".
std::string step_line(const plan::Task& task, const record::Record& step);

}  // namespace sxb::launch
