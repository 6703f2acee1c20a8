// `sxbench worker rank`: one rank of one task. Loads the engine and runs it.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "plan/task.h"
#include "sxbench/engine.h"

namespace sxb::launch {

/// Where the engine library may be, best first: $SXBENCH_ENGINE_LIB alone if set, else beside the
/// executable as installed or built (../lib, .).
std::vector<std::filesystem::path> engine_candidates();

/// Loads the engine and checks that it was built from the same sources as this command. The library
/// stays loaded until the process ends.
Result<const SxbEngine*> load_engine();

/// SxbEngine::describe.
Result<Json> engine_facts();

/// SxbEngine::bench_kernels; `take` gets each message, {"kind": "kernel" or "finding", "data": {...}}.
Result<ExitCode> bench_kernels(const plan::RankTask& task, const std::function<void(const Json&)>& take);

/// Reads a plan::RankTask line on stdin, runs it, prints wire lines on stdout.
ExitCode run_rank_worker();

}  // namespace sxb::launch
