// Every node is this machine: its agents are children of the head.
#include <utility>

#include "launch/transport/transports.h"

namespace sxb::launch {
namespace {

class LocalTransport final : public Transport {
 public:
  Result<int> start(const config::Node&, const std::vector<std::string>& argv,
                    const std::map<std::string, std::string>& env, const std::string& input) override {
    ProcessSpec spec;
    spec.argv = argv;
    spec.env = env;
    spec.stdin_text = input;
    spec.keep_stdin_open = true;
    SXB_ASSIGN_OR_RETURN(const int job, processes_.start(spec));
    started_.push_back(job);
    return job;
  }

  void poll(int timeout_ms, const Handler& handler) override {
    for (const int job : std::exchange(started_, {})) {
      handler({TransportEvent::Kind::kStarted, job, false, "", {}, {}});
    }
    processes_.poll(timeout_ms, [&](const ProcessEvent& event) {
      if (event.kind == ProcessEvent::Kind::kLine) {
        words_[event.id].hear(event.line);
        return handler({TransportEvent::Kind::kLine, event.id, event.from_stderr, event.line, {}, {}});
      }
      const std::string words = words_[event.id].text();
      words_.erase(event.id);
      handler({TransportEvent::Kind::kExit, event.id, false, "", event.status, {}, words});
    });
  }

  void stop(int job, int grace_ms) override { processes_.stop(job, grace_ms); }

 private:
  ProcessSet processes_;
  std::vector<int> started_;
  std::map<int, LastWords> words_;  ///< by job
};

}  // namespace

Result<std::unique_ptr<Transport>> local_transport(const config::Cluster& /*cluster*/, int /*nodes*/) {
  return std::unique_ptr<Transport>(std::make_unique<LocalTransport>());
}

}  // namespace sxb::launch
