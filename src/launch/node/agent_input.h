// How an agent gets its task, whatever the transport.
#pragma once

#include <functional>
#include <string>

#include "launch/node/agent_task.h"
#include "launch/node/emitter.h"

namespace sxb::launch {

/// The node that this agent is, as the transport calls it; "" where only the task knows.
std::string own_name();

struct AgentInput {
  Json task;
  bool sign_of_life = false;  ///< the head's first came with it: more follow, or the head is gone
};

/// The input of this agent: the line on stdin, or its part of a bundle (run_agent_worker()).
Result<AgentInput> read_agent_input(const std::string& bundle);
/// Whose records the agent's are, and what marks them: also of an input that holds no task of this build, so
/// that the head believes the reason.
Origin origin_of(const Json& input);
/// Errors: no task, one of another build.
Result<AgentTask> agent_task_of(const Json& input);

/// Whether the head cannot be reached any more, for transports that send no signs of life; empty for the
/// others. pdsh gives the task as an argument because it forwards no stdin, nor therefore a head's signs of
/// life. What srun starts may have the SSH_CONNECTION of somebody's login, and gets them.
std::function<bool()> cut_off_where_nothing_is_sent(const std::string& bundle);

}  // namespace sxb::launch
