// The transports that make_transport() chooses from.
#pragma once

#include <memory>

#include "launch/transport/transport.h"

namespace sxb::launch {

/// The system's ssh. Stdin of a job travels through it; a job ends when its ssh does.
Result<std::unique_ptr<Transport>> ssh_transport(const config::Cluster& cluster);

/// pdsh -R ssh, one per task. The inputs of jobs stand in its command line, readable by every user of the
/// nodes; one job cannot be stopped before the others of its task.
Result<std::unique_ptr<Transport>> pdsh_transport(const config::Cluster& cluster);

/// srun, one step per task: in the allocation around this process, or in one of the first `nodes` nodes
/// that it makes with salloc and holds until it ends.
Result<std::unique_ptr<Transport>> slurm_transport(const config::Cluster& cluster, int nodes);

}  // namespace sxb::launch
