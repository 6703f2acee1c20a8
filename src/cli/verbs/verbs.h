// The verbs: a file with a function each, and their rows in the order of the help.
#pragma once

#include <CLI/CLI.hpp>
#include <vector>

#include "base/result.h"

namespace sxb::cli {

/// Adds a subcommand to the app. Its callback stores the exit code of the process in `result` and prints
/// errors of usage itself, on stderr.
using AddVerb = void (*)(CLI::App& app, ExitCode& result);
using Verbs = std::vector<AddVerb>;
/// In the order of the help. A new verb is a file NAME.cpp with its function, declared below, and its row.
const Verbs& verbs();

void add_run(CLI::App& app, ExitCode& result);
void add_nccl(CLI::App& app, ExitCode& result);
void add_locate(CLI::App& app, ExitCode& result);
void add_gpu(CLI::App& app, ExitCode& result);
void add_burn(CLI::App& app, ExitCode& result);
void add_report(CLI::App& app, ExitCode& result);
void add_compare(CLI::App& app, ExitCode& result);
void add_show(CLI::App& app, ExitCode& result);
void add_list(CLI::App& app, ExitCode& result);
void add_plan(CLI::App& app, ExitCode& result);
void add_check(CLI::App& app, ExitCode& result);
void add_deploy(CLI::App& app, ExitCode& result);
void add_config(CLI::App& app, ExitCode& result);
void add_data(CLI::App& app, ExitCode& result);
void add_worker(CLI::App& app, ExitCode& result);  ///< hidden: what sxbench starts on the nodes

/// The verb push of `data`.
void add_data_push(CLI::App& data, ExitCode& result);

}  // namespace sxb::cli
