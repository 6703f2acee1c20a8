#include "launch/transport.h"

#include <fmt/format.h>

#include <utility>

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
    return processes_.start(spec);
  }

  void poll(int timeout_ms, const std::function<void(const TransportEvent&)>& handler) override {
    processes_.poll(timeout_ms, [&](const ProcessEvent& event) {
      const bool exit = event.kind == ProcessEvent::Kind::kExit;
      handler({exit ? TransportEvent::Kind::kExit : TransportEvent::Kind::kLine, event.id, event.from_stderr,
               event.line, event.status, ""});
    });
  }

  void stop(int job, int grace_ms) override { processes_.stop(job, grace_ms); }

 private:
  ProcessSet processes_;
};

class DryRunTransport final : public Transport {
 public:
  explicit DryRunTransport(PrintCommand print) : print_(std::move(print)) {}

  Result<int> start(const config::Node& node, const std::vector<std::string>& argv,
                    const std::map<std::string, std::string>& env, const std::string& input) override {
    print_(node, argv, env, input);
    ended_.push_back(next_id_);
    return next_id_++;
  }

  void poll(int, const std::function<void(const TransportEvent&)>& handler) override {
    for (const int job : std::exchange(ended_, {})) {
      handler({TransportEvent::Kind::kExit, job, false, "", {}, ""});
    }
  }

  void stop(int, int) override {}

 private:
  PrintCommand print_;
  std::vector<int> ended_;
  int next_id_ = 1;
};

}  // namespace

std::unique_ptr<Transport> local_transport() { return std::make_unique<LocalTransport>(); }

std::unique_ptr<Transport> dry_run_transport(PrintCommand print) {
  return std::make_unique<DryRunTransport>(std::move(print));
}

bool reaches_only_this_machine(const config::Cluster& cluster) {
  using config::TransportKind;
  return cluster.transport == TransportKind::kLocal ||
         (cluster.transport == TransportKind::kAuto && cluster.nodes.size() == 1);
}

Result<std::unique_ptr<Transport>> make_transport(const config::Cluster& cluster) {
  if (reaches_only_this_machine(cluster)) return local_transport();
  return Error{
      fmt::format("transport \"{}\" is not in this build, which reaches this machine only",
                  config::to_string(cluster.transport)),
      cluster.source + ":/transport",
      "set \"transport\": \"local\" to run every node on this machine, or use --dry-run to see the plan"};
}

}  // namespace sxb::launch
