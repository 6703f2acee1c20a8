#include "engine/base/cuda_check.h"

#include <cstring>
#include <string>

namespace sxb::engine {

const char* file_name(const char* path) {
  const char* slash = std::strrchr(path, '/');
  return slash == nullptr ? path : slash + 1;
}

namespace {

/// Errors by which a process learns that its GPU, and not its program, is at fault. Xids: NVIDIA, "Xid
/// Errors".
struct CudaMeaning {
  cudaError_t error;
  const char* what;
  const char* help;
};

constexpr const char* kOffTheBus =
    "on that node: `dmesg | grep -i xid` (79 = the GPU has fallen off the PCIe bus, 119 and 120 = its "
    "firmware hangs) and `nvidia-smi -L`; take the node out of service, then reset it, and reseat the GPU "
    "if it comes again";
constexpr const char* kBadProgram =
    "`dmesg | grep -i xid` on that node: 13, 31 or 43 after a wrong instruction or address. On this GPU "
    "alone: its memory or the GPU is bad, sxbench burn --nodes 1 tells; on every GPU: a defect of sxbench "
    "or the driver";
constexpr const char* kMemoryErrors =
    "on that node: `dmesg | grep -i xid` (48, 63, 64, 94 or 95) and `nvidia-smi -q -d ECC,ROW_REMAPPER`: a "
    "pending remap needs a reset of the GPU, a failed one its replacement";

constexpr CudaMeaning kMeanings[] = {
    {cudaErrorUnknown, "the GPU does not answer any more, as one does that has fallen off the PCIe bus",
     kOffTheBus},
    {cudaErrorNoDevice, "the GPU is gone", kOffTheBus},
    {cudaErrorInvalidDevice, "the GPU is gone", kOffTheBus},
    {cudaErrorInitializationError, "the driver cannot start on the GPU", kOffTheBus},
    {cudaErrorDeviceUninitialized, "the driver has given up the GPU", kOffTheBus},
    {cudaErrorDevicesUnavailable, "the GPU is taken or does not start",
     "another process has it in exclusive mode (`nvidia-smi -q -d COMPUTE`, `nvidia-smi` lists processes), "
     "or it is lost: `dmesg | grep -i xid` on that node"},
    {cudaErrorECCUncorrectable, "an error in the GPU's memory that ECC could not correct", kMemoryErrors},
    {cudaErrorContained, "a fault of the GPU or of NVLink, contained to this process", kMemoryErrors},
    {cudaErrorNvlinkUncorrectable, "an error of NVLink that could not be corrected",
     "on that node: `dmesg | grep -i xid` (74) and `nvidia-smi nvlink -e`, which counts errors per link; "
     "reset the GPUs of the node, and replace the one whose link fails again"},
    {cudaErrorSystemNotReady, "the NVSwitch fabric of the node is not up",
     "on that node: `systemctl start nvidia-fabricmanager`, of the driver's version; its log says what is "
     "missing"},
    {cudaErrorSystemDriverMismatch, "parts of the driver are of different versions",
     "on that node: load the kernel module that belongs to the user-space driver, most often by a reboot"},
    {cudaErrorInsufficientDriver, "the driver is older than this CUDA needs",
     "update the driver of that node; `nvidia-smi` shows the newest CUDA that it can run"},
    {cudaErrorNoKernelImageForDevice, "sxbench was built without kernels for this type of GPU",
     "build it for the type's compute capability, and deploy that build"},
    {cudaErrorIllegalAddress, "a kernel used an address that does not exist", kBadProgram},
    {cudaErrorIllegalInstruction, "a kernel met an instruction that does not exist", kBadProgram},
    {cudaErrorMisalignedAddress, "a kernel used an address that is not aligned", kBadProgram},
    {cudaErrorInvalidPc, "a kernel ran off its code", kBadProgram},
    {cudaErrorHardwareStackError, "the call stack of a kernel broke", kBadProgram},
    {cudaErrorLaunchFailure, "a kernel crashed", kBadProgram},
    {cudaErrorLaunchTimeout, "a kernel ran longer than the driver allows",
     "the GPU drives a display: measure on one that does not, or stop the display server"},
};

}  // namespace

void throw_cuda_error(cudaError_t error, const char* call, const char* file, int line) {
  const std::string where = std::string(call) + " at " + file_name(file) + ":" + std::to_string(line);
  throw cuda_error(error, where);
}

EngineError cuda_error(cudaError_t error, const std::string& where) {
  const std::string what =
      std::string(cudaGetErrorName(error)) + " (" + cudaGetErrorString(error) + ") from " + where;
  if (error == cudaErrorMemoryAllocation) {
    return EngineError(
        "out of GPU memory: " + what, "out_of_memory",
        "training: a smaller micro_batch or seq_len, recompute \"blocks\", sharding \"full\" or more nodes; "
        "collectives: a smaller -e; gpu and burn: a smaller --size or --memory; and see with nvidia-smi "
        "whether another process holds memory",
        ExitCode::kTaskFailed);
  }
  for (const CudaMeaning& meaning : kMeanings) {
    if (meaning.error == error) {
      return EngineError(std::string(meaning.what) + ": " + what, "cuda_error", meaning.help,
                         ExitCode::kEnvironment);
    }
  }
  return EngineError(what, "cuda_error",
                     "see dmesg of that node for Xid messages and nvidia-smi -q for errors of this GPU",
                     ExitCode::kEnvironment);
}

void throw_if_gpu_is_broken(const char* call, const char* file, int line) {
  const cudaError_t cause = cudaStreamQuery(nullptr);
  if (cause != cudaSuccess && cause != cudaErrorNotReady) throw_cuda_error(cause, call, file, line);
}

}  // namespace sxb::engine
