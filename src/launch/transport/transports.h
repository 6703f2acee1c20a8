// The ways to the nodes, one row each, and which of them a cluster takes.
#pragma once

#include <memory>
#include <vector>

#include "launch/transport/transport.h"

namespace sxb::launch {

/// What the nodes are to the head.
enum class Reach {
  kThisMachine,  ///< all of them
  kLogins,       ///< machines that take ssh logins: folders can be sent there too
  kBatchSystem,  ///< machines that a batch system hands out
  kNothing       ///< nothing is started
};

struct TransportRow {
  config::TransportKind kind;
  Reach reach;
  /// Jobs will go to the first `nodes` nodes of the cluster, of which an allocation is made where it takes
  /// one.
  Result<std::unique_ptr<Transport>> (*make)(const config::Cluster& cluster, int nodes);
};
using TransportRows = std::vector<TransportRow>;
/// One for each kind but "auto". A new transport is a file with its `make`, declared below, and its row; its
/// name is one of config::TransportKind.
const TransportRows& transports();

/// The row of `cluster`; "auto" means local for a single node, else ssh.
const TransportRow& transport_of(const config::Cluster& cluster, const TransportRows& rows = transports());

/// Every node is this machine. (A cluster of one node without a transport is, too.)
bool reaches_only_this_machine(const config::Cluster& cluster);

/// The transport of `cluster`, for jobs on its first `nodes` nodes.
Result<std::unique_ptr<Transport>> make_transport(const config::Cluster& cluster, int nodes,
                                                  const TransportRows& rows = transports());

/// Starts programs on this machine, whatever the node is called.
Result<std::unique_ptr<Transport>> local_transport(const config::Cluster& cluster, int nodes);

/// The system's ssh. Stdin of a job travels through it; a job ends when its ssh does.
Result<std::unique_ptr<Transport>> ssh_transport(const config::Cluster& cluster, int nodes);

/// pdsh -R ssh, one per task and 256 nodes. The inputs of jobs stand in its command line, sealed for keys
/// that the nodes make in a call before the first; one job cannot be stopped before the others of its task.
Result<std::unique_ptr<Transport>> pdsh_transport(const config::Cluster& cluster, int nodes);

/// srun, one step per task: in the allocation around this process, or in one of the first `nodes` nodes
/// that it makes with salloc and holds until it ends.
Result<std::unique_ptr<Transport>> slurm_transport(const config::Cluster& cluster, int nodes);

/// Always an error: the transport "dry-run" has no jobs.
Result<std::unique_ptr<Transport>> refuse_to_run_dry(const config::Cluster& cluster, int nodes);

/// Starts nothing: hands each command to `print` and reports that it ended well.
using PrintCommand =
    std::function<void(const config::Node&, const std::vector<std::string>& argv,
                       const std::map<std::string, std::string>& env, const std::string& input)>;
std::unique_ptr<Transport> dry_run_transport(PrintCommand print);

}  // namespace sxb::launch
