// The command line: verbs, help, errors that name the word meant.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>

#include "base/result.h"

namespace sxb::cli {

/// The application with all its verbs; running a verb stores its exit code in `result`.
std::unique_ptr<CLI::App> make_app(ExitCode& result);

/// Parses, runs, and returns the exit code of the process. Every error of the command line is kUsage.
int run_app(int argc, const char* const* argv);

}  // namespace sxb::cli
