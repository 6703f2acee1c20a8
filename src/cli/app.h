// The command line: verbs, help, errors that name the word meant.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>

#include "base/result.h"
#include "cli/verbs/verbs.h"

namespace sxb::cli {

/// The application with all its verbs; running a verb stores its exit code in `result`.
std::unique_ptr<CLI::App> make_app(ExitCode& result, const Verbs& rows = verbs());

/// Parses, runs, and returns the exit code of the process. Every error of the command line is kUsage; an
/// exception that a verb lets through is one error and kEnvironment, and so is output that was lost.
int run_app(int argc, const char* const* argv, const Verbs& rows = verbs());

}  // namespace sxb::cli
