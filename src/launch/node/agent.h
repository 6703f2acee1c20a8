// `sxbench worker agent`: one node's part of one task.
#pragma once

#include <string>

#include "base/result.h"

namespace sxb::launch {

/// Reads an AgentTask line on stdin, or from a bundle of the inputs of all nodes (`bundle`; "-": the
/// bundle is the line on stdin), of which it takes that of $SXBENCH_NODE or $SLURMD_NODENAME. Runs the ranks
/// of this node and supervises them. Wire lines go to stdout, log lines to stderr. Ends everything it started
/// when stdin closes (the head is gone), on SIGTERM, and when a rank fails or falls silent.
ExitCode run_agent_worker(const std::string& bundle = "");

}  // namespace sxb::launch
