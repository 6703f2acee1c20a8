// One task on its nodes, from the start of the agents to the last exit.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "launch/run.h"

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
  };
  struct Failure {
    int severity = 0;  ///< the higher, the nearer to the cause
    std::string node;
    int rank = -1;
    std::string reason;
    ExitCode code = ExitCode::kTaskFailed;
  };

  Status start_agents();
  void watch();
  void check_bounds(std::int64_t now);
  void on_event(const TransportEvent& event);
  void on_record(Agent& agent, const std::string& text);
  void on_exit(Agent& agent, const ExitStatus& status);
  void fail(Failure failure);
  void stop_all(int grace_ms);
  bool any_running() const;
  TaskOutcome outcome(std::int64_t began_ns) const;
  void keep(const Status& status);

  const RunOptions& options_;
  const plan::Task& task_;
  Transport& transport_;
  Journal& journal_;
  Observer& observer_;
  std::map<int, Agent> agents_;
  Failure failure_;
  std::int64_t failed_ns_ = 0, last_progress_ns_ = 0;
  bool stopping_ = false;
  Status journal_status_ = ok_status();
};

/// "step 12/50  loss 3.2101  lr 2.00e-05  1234 tokens/s  MFU 45.2 %  9.1 GiB".
std::string step_line(const plan::Task& task, const record::Record& step);

}  // namespace sxb::launch
