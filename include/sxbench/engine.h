// The whole interface between the sxbench command and libsxbench_engine.so, which holds everything
// that needs libtorch, CUDA, NCCL or Gloo. The command loads the library with dlopen in
// `sxbench worker` only, so `sxbench --help` needs none of it.
//
// JSON text crosses the border: no C++ type of the one side is known to the other, so the two may
// be built with different libraries. No exception crosses it either.
#pragma once

#include <cstdint>

extern "C" {

/// Called by the engine for each record, from any thread. `json`: {"kind":..., "data":{...}};
/// the worker adds task, node, rank and times.
using SxbEmit = void (*)(void* user, const char* json);

struct SxbEngine {
  std::uint32_t abi;     ///< kSxbEngineAbi of the build
  const char* build_id;  ///< must equal the command's build_id()

  /// Versions and devices as JSON: {"torch":"2.11.0","cuda":"13.0","nccl":"2.28.9","cudnn":...,
  /// "gloo":true,"devices":[{"name":..., "memory_bytes":...}]}. Static storage.
  const char* (*describe)();

  /// Runs one rank of one task (plan::RankTask as JSON). Returns 0, or an sxb::ExitCode after
  /// having emitted a "finding" of severity "error" that says what failed.
  int (*run_rank)(const char* rank_task_json, SxbEmit emit, void* user);

  /// Times the kernels of a training step of the task's model on the one GPU of a task with one rank.
  /// Emits a "kernel" for each: {"kernel", "shape", "us", "bytes", "flops", "aten_us" or null}.
  /// Returns like run_rank.
  int (*bench_kernels)(const char* rank_task_json, SxbEmit emit, void* user);
};

/// The one exported symbol.
const SxbEngine* sxbench_engine();
}

inline constexpr std::uint32_t kSxbEngineAbi = 2;
inline constexpr const char* kSxbEngineLibrary = "libsxbench_engine.so";
