#include "engine/comm/cuda_check.h"

#include <cstring>
#include <string>

#include "engine/comm/communicator.h"

namespace sxb::engine {

const char* file_name(const char* path) {
  const char* slash = std::strrchr(path, '/');
  return slash == nullptr ? path : slash + 1;
}

namespace {

/// What an error says of the GPU, with the Xid that the kernel log then has (NVIDIA, "Xid Errors").
const char* help_for(cudaError_t error) {
  switch (error) {
    case cudaErrorNoDevice:
    case cudaErrorInvalidDevice:
      return "the GPU has fallen off the bus: look for Xid 79 in dmesg; it needs a reset, often of the node";
    case cudaErrorECCUncorrectable:
      return "a memory error that ECC could not correct: Xid 48, 63, 64 or 94 in dmesg; nvidia-smi -q -d "
             "ECC,ROW_REMAPPER says whether the GPU needs a reset or a replacement";
    case cudaErrorNvlinkUncorrectable:
      return "an NVLink error: Xid 74 in dmesg; nvidia-smi nvlink -e counts errors per link";
    case cudaErrorSystemNotReady:
      return "the fabric manager does not run: systemctl start nvidia-fabricmanager";
    case cudaErrorDevicesUnavailable:
      return "another process has the GPU in exclusive mode: see nvidia-smi";
    default:
      return "see dmesg for Xid messages and nvidia-smi -q for errors of this GPU";
  }
}

}  // namespace

void throw_cuda_error(cudaError_t error, const char* call, const char* file, int line) {
  std::string what = std::string(cudaGetErrorName(error)) + " (" + cudaGetErrorString(error) + ") from " +
                     call + " at " + file_name(file) + ":" + std::to_string(line);
  if (error == cudaErrorMemoryAllocation) {
    throw EngineError(
        "out of GPU memory: " + what, "out_of_memory",
        "training: a smaller micro_batch or seq_len, recompute \"block\", sharding \"full\" or more nodes; "
        "collectives: a smaller -e; gpu and burn: a smaller --size or --memory; and see with nvidia-smi whether "
        "another process holds memory",
        ExitCode::kTaskFailed);
  }
  throw EngineError(what, "cuda_error", help_for(error), ExitCode::kEnvironment);
}

}  // namespace sxb::engine
