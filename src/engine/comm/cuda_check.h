// SXB_CUDA(call): a CUDA runtime call whose failure is an EngineError with file and line.
#pragma once

#include <cuda_runtime_api.h>

namespace sxb::engine {

/// Codes "cuda_error" and, with a remedy of its own, "out_of_memory".
[[noreturn]] void throw_cuda_error(cudaError_t error, const char* call, const char* file, int line);

inline void check_cuda(cudaError_t error, const char* call, const char* file, int line) {
  if (error != cudaSuccess) throw_cuda_error(error, call, file, line);
}

/// The last part of a path: __FILE__ holds the build machine's folders, which help nobody.
const char* file_name(const char* path);

}  // namespace sxb::engine

#define SXB_CUDA(call) ::sxb::engine::check_cuda((call), #call, __FILE__, __LINE__)
