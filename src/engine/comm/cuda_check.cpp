#include "engine/comm/cuda_check.h"

#include <cstring>
#include <string>

#include "engine/comm/communicator.h"

namespace sxb::engine {

const char* file_name(const char* path) {
  const char* slash = std::strrchr(path, '/');
  return slash == nullptr ? path : slash + 1;
}

void throw_cuda_error(cudaError_t error, const char* call, const char* file, int line) {
  std::string what = std::string(cudaGetErrorName(error)) + " (" + cudaGetErrorString(error) + ") from " +
                     call + " at " + file_name(file) + ":" + std::to_string(line);
  if (error == cudaErrorMemoryAllocation) {
    throw EngineError(
        "out of GPU memory: " + what, "out_of_memory",
        "training: a smaller micro_batch or seq_len, recompute \"block\", sharding \"full\" or more nodes; "
        "collectives: a smaller -e; and see with nvidia-smi whether another process holds memory",
        ExitCode::kTaskFailed);
  }
  throw EngineError(what, "cuda_error", "see dmesg for Xid messages and nvidia-smi -q for errors of this GPU",
                    ExitCode::kEnvironment);
}

}  // namespace sxb::engine
