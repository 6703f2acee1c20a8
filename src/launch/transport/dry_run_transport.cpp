// Nothing is started: each command is shown.
#include <utility>

#include "launch/transport/transports.h"

namespace sxb::launch {
namespace {

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

std::unique_ptr<Transport> dry_run_transport(PrintCommand print) {
  return std::make_unique<DryRunTransport>(std::move(print));
}

Result<std::unique_ptr<Transport>> refuse_to_run_dry(const config::Cluster& cluster, int /*nodes*/) {
  return Error{"the transport dry-run starts nothing", cluster.source + ":/transport",
               "call sxbench run --dry-run, or set another transport with --transport"};
}

}  // namespace sxb::launch
