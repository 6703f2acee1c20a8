// How the head reaches a node: start a program there with text on its stdin, hear of it, stop it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "launch/process.h"
#include "sxbench/base/result.h"
#include "sxbench/config/cluster.h"

namespace sxb::launch {

struct TransportEvent {
  enum class Kind { kLine, kExit, kLost };
  Kind kind = Kind::kLine;
  int job = 0;               ///< as returned by start()
  bool from_stderr = false;  ///< kLine
  std::string line;          ///< kLine
  ExitStatus status;         ///< kExit
  std::string reason;        ///< kLost: why the transport no longer hears of the job
};

class Transport {
 public:
  virtual ~Transport() = default;

  /// Starts `argv` on `node` with `env` added to its environment. `input` is written to its stdin,
  /// which then stays open until the job ends or this process does.
  virtual Result<int> start(const config::Node& node, const std::vector<std::string>& argv,
                            const std::map<std::string, std::string>& env, const std::string& input) = 0;

  /// Hands out the events of at most `timeout_ms`.
  virtual void poll(int timeout_ms, const std::function<void(const TransportEvent&)>& handler) = 0;

  /// Asks the job to end, makes it end after `grace_ms`; 0 = at once.
  virtual void stop(int job, int grace_ms) = 0;
};

/// Starts programs on this machine, whatever the node is called.
std::unique_ptr<Transport> local_transport();

/// Starts nothing: hands each command to `print` and reports that it ended well.
using PrintCommand =
    std::function<void(const config::Node&, const std::vector<std::string>& argv,
                       const std::map<std::string, std::string>& env, const std::string& input)>;
std::unique_ptr<Transport> dry_run_transport(PrintCommand print);

/// Every node is this machine. (A cluster of one node without a transport is, too.)
bool reaches_only_this_machine(const config::Cluster& cluster);

/// The transport of `cluster`; an error for one that this build does not have.
Result<std::unique_ptr<Transport>> make_transport(const config::Cluster& cluster);

}  // namespace sxb::launch
