// The flags that run, nccl, plan and check share, and what they mean.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/ui/progress.h"
#include "config/settings/settings.h"
#include "launch/head/run_options.h"
#include "plan/task.h"

namespace sxb::cli {

struct Flags {
  config::CommandLine config;  ///< what `config show` explains
  std::string phases, name, save;
  int repeats = 1;
  int retries = 0;
  bool smoke = false;
  bool json = false;                     ///< progress for programs, on stdout
  plan::CollectiveSweep sweep;           ///< what all collectives share
  std::vector<std::string> collectives;  ///< names, or "all"; none = all_reduce
  plan::TrafficMatrix matrix;            ///< of alltoallv alone
  bool max_bytes_given = false;          ///< else sweep.max_bytes depends on the device
  plan::GpuSuite gpu;
  plan::Burn burn;
  std::string json_file;  ///< -J of nccl-tests; empty = none
  Errors errors;          ///< what the verb found wrong with its own flags
  plan::Locate locate;
  bool locate_size_given = false;  ///< else locate.size_bytes depends on the device
};

/// The flags that stand for keys of a document, as its table of settings has them.
void add_key_flags(CLI::App& verb, config::Document document, config::CommandLine& said);
/// A flag that chooses cluster, models or nodes.
void add_selector(CLI::App& verb, const config::Selector& selector, config::CommandLine& said);
/// --set.
void add_set_flag(CLI::App& verb, config::CommandLine& said);
/// Which cluster, and how its nodes are reached: --cluster --hostfile and those of the cluster's keys.
void add_cluster_flags(CLI::App& verb, config::CommandLine& said);
/// Those, and --exclude --spares and those of the run: --nodes --out --metrics-interval-ms.
void add_node_flags(CLI::App& verb, config::CommandLine& said);
/// Those and --name.
void add_place_flags(CLI::App& verb, Flags& flags);
/// --collectives, also as a positional word with `positional`.
void add_collectives_flag(CLI::App& verb, Flags& flags, bool positional);
/// --models --phases --collectives --repeats --smoke, those of the models' keys, --set --save.
void add_work_flags(CLI::App& verb, Flags& flags);
/// --retries --json.
void add_conduct_flags(CLI::App& verb, Flags& flags);

using Request = launch::RunOptions;

/// Resolves and validates everything; starts and writes nothing. Reports every error it can find.
Result<Request> resolve(const Flags& flags, const std::string& command);

/// The request of an earlier run, to do what it lacks: plan and cluster come from its journal, of the
/// flags only --retries, --exclude and --spares count. An excluded node's place goes to a spare.
Result<Request> resolve_resumed(const std::filesystem::path& run, const Flags& flags,
                                const std::string& command);

/// The value; prints the errors and sets `code` if there are any.
template <typename T>
std::optional<T> value_or_explain(Result<T> result, ExitCode& code) {
  if (result.ok()) return std::move(result).value();
  write_err(format_errors(result.errors()));
  code = result.error().code;
  return std::nullopt;
}

/// Prints what was taken and may not be what was meant.
void warn(const Errors& warnings);

/// resolve() for this process's command line.
std::optional<Request> resolve_or_explain(const Flags& flags, ExitCode& code);

/// The command line of this process as typed, quoted where the shell would need it.
std::string own_command_line();

/// Runs the request: tasks, reports, verdict, -J. `display` shows it, unless --json asks for another.
ExitCode perform(const Request& request, const Flags& flags, Display& display);

}  // namespace sxb::cli
