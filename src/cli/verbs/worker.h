// Parts of the hidden verb `worker`.
#pragma once

#include <CLI/CLI.hpp>

#include "base/result.h"

namespace sxb::cli {

/// Ends without running the destructors of static objects: with libtorch and CUDA loaded their order
/// is not ours, and a crash there would turn a good rank into a failed one.
[[noreturn]] void leave(ExitCode code);

void add_bench_kernels(CLI::App& worker);  // bench_kernels.cpp

}  // namespace sxb::cli
