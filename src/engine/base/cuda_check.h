// SXB_CUDA(call): a CUDA runtime call whose failure is an EngineError with file and line.
#pragma once

#include <cuda_runtime_api.h>

#include <source_location>
#include <string>

#include "engine/base/error.h"

namespace sxb::engine {

/// What a CUDA error means on a cluster and what to do about it, with CUDA's own words; `where`: the call.
/// Codes "cuda_error" and, with a remedy of its own, "out_of_memory".
EngineError cuda_error(cudaError_t error, const std::string& where);

[[noreturn]] void throw_cuda_error(cudaError_t error, const char* call, const char* file, int line);

/// For libraries that hide CUDA's error: one that has made the GPU unusable is what every later CUDA call
/// gives.
void throw_if_gpu_is_broken(const char* call, const char* file, int line);

inline void check_cuda(cudaError_t error, const char* call, const char* file, int line) {
  if (error != cudaSuccess) throw_cuda_error(error, call, file, line);
}

/// Of a launcher of kernels/: they return cudaError_t as int, because their headers know no CUDA.
inline void check_launch(int error, const char* kernel,
                         const std::source_location& where = std::source_location::current()) {
  check_cuda(static_cast<cudaError_t>(error), kernel, where.file_name(), static_cast<int>(where.line()));
}

/// The last part of a path: __FILE__ holds the build machine's folders, which help nobody.
const char* file_name(const char* path);

}  // namespace sxb::engine

#define SXB_CUDA(call) ::sxb::engine::check_cuda((call), #call, __FILE__, __LINE__)
