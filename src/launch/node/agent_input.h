// How an agent gets its task, whatever the transport.
#pragma once

#include <functional>
#include <string>

#include "launch/node/agent_task.h"

namespace sxb::launch {

/// The node that this agent is, as the transport calls it; "" where only the task knows.
std::string own_name();

/// From the line on stdin, or from a bundle (run_agent_worker()). Errors: no task, one of another build.
Result<AgentTask> read_agent_task(const std::string& bundle);

/// Whether the head cannot be reached any more, for transports that send no signs of life; empty for the
/// others. pdsh gives the task as an argument because it forwards no stdin, nor therefore a head's signs of
/// life. What srun starts may have the SSH_CONNECTION of somebody's login, and gets them.
std::function<bool()> cut_off_where_nothing_is_sent(const std::string& bundle);

}  // namespace sxb::launch
