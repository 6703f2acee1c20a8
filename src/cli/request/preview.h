// What a run would do, without doing it.
#pragma once

#include "cli/request/request.h"

namespace sxb::cli {

/// Prints each command with its environment, and writes plan.json beside where run folders go.
ExitCode preview_commands(const Request& request);

/// Prints the tasks with ranks and predicted memory.
ExitCode preview_tasks(const Request& request);

}  // namespace sxb::cli
