#include "launch/transport/transport.h"

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
      const bool exit = event.kind == ProcessEvent::Kind::kExit;
      handler({exit ? TransportEvent::Kind::kExit : TransportEvent::Kind::kLine,
               event.id,
               event.from_stderr,
               event.line,
               event.status,
               {}});
    });
  }

  void stop(int job, int grace_ms) override { processes_.stop(job, grace_ms); }

 private:
  ProcessSet processes_;
  std::vector<int> started_;
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

  void poll(int, const Handler& handler) override {
    for (const int job : std::exchange(ended_, {})) {
      handler({TransportEvent::Kind::kExit, job, false, "", {}, {}});
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

const char* to_string(Loss::Class kind) {
  switch (kind) {
    case Loss::Class::kUnreachable:
      return "unreachable";
    case Loss::Class::kHostKey:
      return "host_key";
    case Loss::Class::kAuth:
      return "auth";
    case Loss::Class::kNotInstalled:
      return "not_installed";
    case Loss::Class::kConnectionLost:
      return "connection_lost";
    case Loss::Class::kNoAnswer:
      return "no_answer";
    case Loss::Class::kOther:
      break;
  }
  return "transport";
}

config::TransportKind transport_of(const config::Cluster& cluster) {
  using config::TransportKind;
  if (cluster.transport != TransportKind::kAuto) return cluster.transport;
  return cluster.nodes.size() == 1 ? TransportKind::kLocal : TransportKind::kSsh;
}

bool reaches_only_this_machine(const config::Cluster& cluster) {
  return transport_of(cluster) == config::TransportKind::kLocal;
}

Result<std::unique_ptr<Transport>> make_transport(const config::Cluster& cluster, int nodes) {
  using config::TransportKind;
  switch (transport_of(cluster)) {
    case TransportKind::kSsh:
      return ssh_transport(cluster);
    case TransportKind::kPdsh:
      return pdsh_transport(cluster);
    case TransportKind::kSlurm:
      return slurm_transport(cluster, nodes);
    case TransportKind::kDryRun:
      return Error{"the transport dry-run starts nothing", cluster.source + ":/transport",
                   "call sxbench run --dry-run, or set another transport with --transport"};
    case TransportKind::kAuto:
    case TransportKind::kLocal:
      break;
  }
  return local_transport();
}

}  // namespace sxb::launch
