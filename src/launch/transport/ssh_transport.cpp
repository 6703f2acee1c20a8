// One ssh per job; connections are shared by the jobs on a node and set up a bounded number at a time.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <filesystem>

#include "base/clock.h"
#include "base/folder.h"
#include "launch/os/private_dir.h"
#include "launch/transport/ssh.h"
#include "launch/transport/transports.h"
#include "record/record.h"

namespace sxb::launch {
namespace {

namespace fs = std::filesystem;

class SshTransport final : public Transport {
 public:
  SshTransport(config::Cluster cluster, PrivateDir dir)
      : cluster_(std::move(cluster)), dir_(std::move(dir)) {}
  ~SshTransport() override { close_connections(); }

  Result<int> start(const config::Node& node, const std::vector<std::string>& argv,
                    const std::map<std::string, std::string>& env, const std::string& input) override {
    Job job;
    job.node = node;
    job.program = argv.front();
    job.spec.argv = ssh_argv(cluster_, node, dir_.path(), remote_command(argv, env), own_session_options());
    // With the first sign of life: from there on the agent misses the next one.
    job.spec.stdin_text = input.empty() ? "" : input + "\n";
    job.spec.keep_stdin_open = true;
    jobs_.emplace(next_job_, std::move(job));
    waiting_.push_back(next_job_);
    return next_job_++;
  }

  void poll(int timeout_ms, const Handler& handler) override {
    launch_waiting();
    const std::vector<TransportEvent> events = std::exchange(pending_, {});
    for (const TransportEvent& event : events) handler(event);
    processes_.poll(events.empty() ? timeout_ms : 0,
                    [&](const ProcessEvent& event) { on_event(event, handler); });
  }

  void send(int id, const std::string& text) override {
    const auto it = jobs_.find(id);
    if (it != jobs_.end() && it->second.process != 0) processes_.write(it->second.process, text);
  }

  void stop(int id, int grace_ms) override {
    const auto it = jobs_.find(id);
    if (it == jobs_.end()) return;
    if (it->second.process == 0) {
      waiting_.erase(std::remove(waiting_.begin(), waiting_.end(), id), waiting_.end());
      jobs_.erase(it);
      const ExitStatus interrupted = {static_cast<int>(ExitCode::kInterrupted), 0};
      pending_.push_back({TransportEvent::Kind::kExit, id, false, "", interrupted, {}});
    } else if (grace_ms > 0) {
      // The agent sees its stdin close and ends in good order; a signal would reach only this ssh.
      it->second.stopped = true;
      processes_.end_input(it->second.process, grace_ms);
    } else {
      it->second.stopped = true;
      processes_.stop(it->second.process, 0);
    }
  }

 private:
  struct Job {
    config::Node node;
    std::string program;
    ProcessSpec spec;
    int process = 0;  ///< 0 = waits for its turn
    bool connected = false;
    bool answered = false;  ///< with a record: it was sxbench
    bool stopped = false;   ///< by stop()
    std::int64_t last_line_ns = 0;
    std::deque<std::string> messages;  ///< the last lines of stderr: ssh's own come last
    LastWords words;
  };

  void launch_waiting() {
    while (!waiting_.empty() && connecting_ < cluster_.fanout) {
      const int id = waiting_.front();
      waiting_.pop_front();
      Job& job = jobs_.at(id);
      const Result<int> process = processes_.start(job.spec);
      job.spec = {};
      if (!process.ok()) {
        pending_.push_back(lost(id, not_started(process.error())));
        jobs_.erase(id);
        continue;
      }
      job.process = *process;
      job.last_line_ns = monotonic_ns();
      by_process_[*process] = id;
      ++connecting_;
      pending_.push_back({TransportEvent::Kind::kStarted, id, false, "", {}, {}});
    }
  }

  void on_event(const ProcessEvent& event, const Handler& handler) {
    const int id = by_process_.at(event.id);
    Job& job = jobs_.at(id);
    if (event.kind == ProcessEvent::Kind::kLine) {
      // Only stdout proves a connection: stderr may be ssh itself, in trouble.
      if (!event.from_stderr) {
        set_connected(job);
        job.answered = job.answered || event.line.find(record::kWirePrefix) != std::string::npos;
      }
      job.words.hear(event.line);
      job.last_line_ns = monotonic_ns();
      if (event.from_stderr) {
        job.messages.push_back(event.line);
        if (job.messages.size() > kKeptMessages) job.messages.pop_front();
      }
      return handler({TransportEvent::Kind::kLine, id, event.from_stderr, event.line, {}, {}});
    }
    const TransportEvent end = end_of(id, job, event.status);
    set_connected(job);  // it no longer takes a place among those that connect
    by_process_.erase(event.id);
    jobs_.erase(id);
    handler(end);
  }

  TransportEvent end_of(int id, const Job& job, const ExitStatus& status) const {
    if (status.signal != 0 && !job.stopped) return lost(id, killed_here("ssh", status));
    if (status.signal == 0 && status.code == kSshFailed) {
      const double silent_s = static_cast<double>(monotonic_ns() - job.last_line_ns) * 1e-9;
      return lost(id, explain_ssh(cluster_, job.node, {job.messages.begin(), job.messages.end()},
                                  job.connected, silent_s));
    }
    if (!job.answered && is_missing_program(status)) {
      return lost(id, explain_missing_program(job.node, job.program));
    }
    return {TransportEvent::Kind::kExit, id, false, "", remote_status(status), {}, job.words.text()};
  }

  void set_connected(Job& job) {
    if (!job.connected) --connecting_;
    job.connected = true;
  }

  static TransportEvent lost(int id, Loss loss) {
    return {TransportEvent::Kind::kLost, id, false, "", {}, std::move(loss)};
  }

  /// Ends the shared connections that would otherwise stay for ssh.persist_s.
  void close_connections() {
    std::error_code ec;
    ProcessSet closing;
    for (const fs::path& path : paths_in(dir_.path(), ec)) {
      if (!fs::is_socket(path, ec)) continue;
      ProcessSpec spec;
      spec.argv = {"ssh", "-F", "none", "-o", "ControlPath=" + path.string(), "-O", "exit", "connection"};
      (void)closing.start(spec);
    }
    const std::int64_t give_up = monotonic_ns() + 2'000'000'000;
    while (!closing.empty() && monotonic_ns() < give_up) closing.poll(100, [](const ProcessEvent&) {});
  }

  const config::Cluster cluster_;
  const PrivateDir dir_;  ///< the sockets of shared connections
  ProcessSet processes_;
  std::map<int, Job> jobs_;
  std::map<int, int> by_process_;
  std::deque<int> waiting_;
  std::vector<TransportEvent> pending_;
  int connecting_ = 0;
  int next_job_ = 1;
};

}  // namespace

Result<std::unique_ptr<Transport>> ssh_transport(const config::Cluster& cluster, int /*nodes*/) {
  SXB_ASSIGN_OR_RETURN(PrivateDir dir, PrivateDir::create("ssh"));
  return std::unique_ptr<Transport>(std::make_unique<SshTransport>(cluster, std::move(dir)));
}

}  // namespace sxb::launch
