// `sxbench worker agent`: one node's part of one task.
#pragma once

#include "sxbench/base/result.h"

namespace sxb::launch {

/// Reads an AgentTask line on stdin, runs the ranks of this node and supervises them. Wire lines go
/// to stdout, log lines to stderr. Ends everything it started when stdin closes (the head is gone),
/// on SIGTERM, and when a rank fails or falls silent.
ExitCode run_agent_worker();

}  // namespace sxb::launch
