// The flags that run, nccl, plan and check share, and what they mean.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "launch/run.h"
#include "sxbench/base/result.h"
#include "sxbench/config/settings.h"
#include "sxbench/plan/task.h"

namespace sxb::cli {

struct Flags {
  config::Flags config;  ///< those that `config show` explains
  std::string phases, name, save;
  int repeats = 1;
  bool smoke = false;
  plan::CollectiveSweep sweep;
  bool max_bytes_given = false;  ///< else sweep.max_bytes depends on the device
};

/// Which cluster, and how its nodes are reached: --cluster --hostfile --transport --device --fanout
/// --connect-timeout.
void add_cluster_flags(CLI::App& verb, config::Flags& flags);
/// Those, and --nodes --out --name --metrics-interval-ms.
void add_place_flags(CLI::App& verb, Flags& flags);
/// --models --phases --repeats --smoke --steps --warmup --micro-batch --set --save --metrics-interval-ms.
void add_work_flags(CLI::App& verb, Flags& flags);

struct Request {
  launch::RunOptions options;
  bool report = false;  ///< phase report is asked for
};

/// Resolves and validates everything; starts and writes nothing. Reports every error it can find.
Result<Request> resolve(const Flags& flags, const std::string& command);

/// resolve() for this process's command line; prints the errors and sets `code` if there are any.
std::optional<Request> resolve_or_explain(const Flags& flags, ExitCode& code);

/// The command line as typed, quoted where the shell would need it.
std::string command_line(const std::vector<std::string>& arguments);
/// That of this process.
std::string own_command_line();

/// Runs the request: tasks, reports, verdict; prints the path of the report on stdout.
ExitCode perform(const Request& request, launch::Observer& observer);

}  // namespace sxb::cli
