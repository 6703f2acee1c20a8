#include "engine/comm/nccl/nccl_path.h"

#include <cuda.h>
#include <cxxabi.h>

#include <cstdlib>
#include <memory>
#include <vector>

#include "engine/base/cuda.h"

namespace sxb::engine::comm {
namespace {

/// A function of the driver, without linking to it: this library also loads where there is none.
template <typename Function>
Function driver(const char* name) {
  void* address = nullptr;
  cudaDriverEntryPointQueryResult found{};
  // 12.3 has all that is used here, in the form that the headers declare.
  SXB_CUDA(cudaGetDriverEntryPointByVersion(name, &address, 12030, cudaEnableDefault, &found));
  return found == cudaDriverEntryPointSuccess ? reinterpret_cast<Function>(address) : nullptr;
}

/// "ncclDevKernel_AllGather_RING_LL" of its mangled name.
std::string plain_name(const char* mangled) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> demangled(
      abi::__cxa_demangle(mangled, nullptr, nullptr, &status), &std::free);
  const std::string name = status == 0 ? demangled.get() : mangled;
  return name.substr(0, name.find('('));
}

std::string kernel_name(CUgraphNode node, unsigned& blocks) {
  static const auto params_of = driver<decltype(&cuGraphKernelNodeGetParams)>("cuGraphKernelNodeGetParams");
  static const auto function_name = driver<decltype(&cuFuncGetName)>("cuFuncGetName");
  static const auto kernel_name = driver<decltype(&cuKernelGetName)>("cuKernelGetName");
  CUDA_KERNEL_NODE_PARAMS params{};
  if (params_of == nullptr || params_of(node, &params) != CUDA_SUCCESS) return "a kernel";
  blocks = params.gridDimX * params.gridDimY * params.gridDimZ;
  const char* name = nullptr;
  if (params.func != nullptr && function_name != nullptr) {
    static_cast<void>(function_name(&name, params.func));
  } else if (params.kern != nullptr && kernel_name != nullptr) {
    static_cast<void>(kernel_name(&name, params.kern));
  }
  return name == nullptr ? "a kernel" : plain_name(name);
}

std::string describe(CUgraph graph) {
  static const auto nodes_of = driver<decltype(&cuGraphGetNodes)>("cuGraphGetNodes");
  static const auto type_of = driver<decltype(&cuGraphNodeGetType)>("cuGraphNodeGetType");
  std::size_t count = 0;
  if (nodes_of == nullptr || type_of == nullptr || nodes_of(graph, nullptr, &count) != CUDA_SUCCESS) {
    return "unknown: the driver does not show the captured work";
  }
  std::vector<CUgraphNode> nodes(count);
  if (nodes_of(graph, nodes.data(), &count) != CUDA_SUCCESS) return "unknown";
  std::string kernels;
  int copies = 0;
  for (CUgraphNode node : nodes) {
    CUgraphNodeType type{};
    if (type_of(node, &type) != CUDA_SUCCESS) continue;
    if (type == CU_GRAPH_NODE_TYPE_MEMCPY) ++copies;
    if (type != CU_GRAPH_NODE_TYPE_KERNEL) continue;
    unsigned blocks = 0;
    const std::string name = kernel_name(node, blocks);
    kernels += (kernels.empty() ? "" : " + ") + name + ", " + std::to_string(blocks) + " CTAs";
  }
  if (!kernels.empty()) return kernels;
  return copies > 0 ? "copy engine, " + std::to_string(copies) + " copies" : "nothing";
}

}  // namespace

std::string captured_path(const std::function<void()>& issue, cudaStream_t stream) {
  return describe(CudaGraph(stream, issue));
}

}  // namespace sxb::engine::comm
