// One function per verb: each adds its subcommand to the app. A callback stores the exit code of the
// process in `result`; usage errors are printed by the verb itself on stderr.
#pragma once

#include <CLI/CLI.hpp>

#include "base/result.h"

namespace sxb::cli {

void add_run(CLI::App& app, ExitCode& result);      // run.cpp
void add_nccl(CLI::App& app, ExitCode& result);     // nccl.cpp
void add_gpu(CLI::App& app, ExitCode& result);      // gpu.cpp
void add_burn(CLI::App& app, ExitCode& result);     // burn.cpp
void add_locate(CLI::App& app, ExitCode& result);   // locate.cpp
void add_plan(CLI::App& app, ExitCode& result);     // plan.cpp
void add_check(CLI::App& app, ExitCode& result);    // check.cpp
void add_report(CLI::App& app, ExitCode& result);   // report.cpp
void add_compare(CLI::App& app, ExitCode& result);  // compare.cpp
void add_show(CLI::App& app, ExitCode& result);     // show.cpp
void add_list(CLI::App& app, ExitCode& result);     // list.cpp
void add_config(CLI::App& app, ExitCode& result);   // config.cpp
void add_data(CLI::App& app, ExitCode& result);     // data.cpp
void add_deploy(CLI::App& app, ExitCode& result);   // deploy.cpp
void add_worker(CLI::App& app, ExitCode& result);   // worker.cpp, hidden
/// The verb push of `data`.
void add_data_push(CLI::App& data, ExitCode& result);  // data_push.cpp

}  // namespace sxb::cli
