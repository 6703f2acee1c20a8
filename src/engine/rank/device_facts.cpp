#include "engine/rank/device_facts.h"

#include <unistd.h>

#include <cstdio>

#include "base/files.h"
#include "base/text.h"
#include "engine/base/cuda_check.h"
#include "engine/base/runtime.h"
#include "engine/comm/communicator.h"

namespace sxb::engine::rank {
namespace {

std::string cuda_version() {
  int version = 0;
  SXB_CUDA(cudaRuntimeGetVersion(&version));
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

/// Number of visible GPUs; 0 where there is no driver.
int gpu_count() {
  int count = 0;
  if (cudaGetDeviceCount(&count) == cudaSuccess) return count;
  static_cast<void>(cudaGetLastError());  // "no driver" is an answer here, not an error of a later call
  return 0;
}

std::string cpu_model() {
  const Result<std::string> text = read_file("/proc/cpuinfo");
  return text ? first_value(*text, "model name", ':') : "";
}

std::string pci_address(const cudaDeviceProp& properties) {
  char text[32];
  std::snprintf(text, sizeof(text), "%04x:%02x:%02x", static_cast<unsigned>(properties.pciDomainID),
                static_cast<unsigned>(properties.pciBusID), static_cast<unsigned>(properties.pciDeviceID));
  return text;
}

/// The rank's GPU is not there at all.
EngineError missing_gpu(const plan::RankTask& task, cudaError_t error) {
  const std::string gpu = std::to_string(task.gpu);
  if (error != cudaSuccess && error != cudaErrorNoDevice) {
    const EngineError known = cuda_error(error, "cudaGetDeviceCount");
    return {"GPU " + gpu + ": " + known.what(), "no_gpu", known.help, ExitCode::kEnvironment};
  }
  const std::string list = "nvidia-smi -L on " + task.node;
  return {"CUDA finds no GPU " + gpu, "no_gpu",
          "see " + list + ": if GPU " + gpu +
              " is not listed it has fallen off the bus (dmesg | grep -i xid; 79 asks for a reset or a "
              "reboot), or the node has fewer GPUs than ranks: correct \"gpus\" or \"gpu\": {\"per_node\": "
              "N} in the cluster config. If it is listed, MIG may be on without a slice (nvidia-smi -i " +
              gpu + " -mig 0)",
          ExitCode::kEnvironment};
}

}  // namespace

void set_device(const plan::RankTask& task) {
  if (!task.cuda) {
    set_intra_op_threads(task.cpu_threads);
    return;
  }
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess || count == 0) throw missing_gpu(task, error);
  SXB_CUDA(cudaSetDevice(0));
  SXB_CUDA(cudaFree(nullptr));  // creates the context now, not inside a measured interval
  const std::string name = gpu_name();
  if (task.world > 1 && name.find(" MIG ") != std::string::npos) {
    const std::string gpu = std::to_string(task.gpu);
    throw EngineError("GPU " + gpu + " is cut into slices, this rank has one: " + name, "mig",
                      "MIG's slices have no NVLink and no peer access: turn it off with nvidia-smi -i " +
                          gpu + " -mig 0 on " + task.node,
                      ExitCode::kEnvironment);
  }
}

std::string gpu_name() {
  cudaDeviceProp properties{};
  SXB_CUDA(cudaGetDeviceProperties(&properties, 0));
  return properties.name;
}

record::Device device_facts(const plan::RankTask& task) {
  record::Device facts;
  facts.device = task.cuda ? "cuda" : "cpu";
  facts.gpu = task.cuda ? task.gpu : -1;
  facts.torch = torch_version();
  facts.pid = getpid();
  if (!task.cuda) {
    facts.name = cpu_model();
    facts.backend = "gloo";
    facts.threads = task.cpu_threads;
    return facts;
  }
  cudaDeviceProp properties{};
  SXB_CUDA(cudaGetDeviceProperties(&properties, 0));
  facts.name = properties.name;
  facts.memory_bytes = static_cast<std::int64_t>(properties.totalGlobalMem);
  facts.multiprocessors = properties.multiProcessorCount;
  facts.pci = pci_address(properties);
  facts.cuda = cuda_version();
  facts.nccl = comm::nccl_version();
  facts.cudnn = cudnn_version();
  facts.backend = "nccl";
  return facts;
}

Json describe_engine() {
  Json json;
  json["torch"] = torch_version();
  json["cuda"] = cuda_version();
  json["nccl"] = comm::nccl_version();
  json["cudnn"] = cudnn_version();
  json["gloo"] = comm::has_gloo();
  json["devices"] = Json::array();
  for (int i = 0; i < gpu_count(); ++i) {
    cudaDeviceProp properties{};
    SXB_CUDA(cudaGetDeviceProperties(&properties, i));
    json["devices"].push_back({{"name", properties.name}, {"memory_bytes", properties.totalGlobalMem}});
  }
  return json;
}

}  // namespace sxb::engine::rank
