#include "engine/gpu/tests/chase.h"

#include "engine/gpu/device/cuda.h"
#include "engine/kernels/gpu_bench.h"

namespace sxb::engine::gpu {
namespace {

/// Per multiprocessor: more than 1 ms at the latencies of NVLink and PCIe, against which launch and events
/// are small.
constexpr std::int64_t kSteps = 2000;

}  // namespace

Figure chase_latency(const std::string& test, const std::string& shape, void* memory) {
  int device = 0, multiprocessors = 0;
  SXB_CUDA(cudaGetDevice(&device));
  SXB_CUDA(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device));
  const auto blocks = static_cast<unsigned>(multiprocessors);
  const CudaStream stream;
  const DeviceMemory last(sizeof(void*));
  check_launch(kernels::cuda::chase_fill(memory, kChaseBytes, stream), "chase_fill");
  const auto follow = [&](unsigned block) {
    check_launch(kernels::cuda::chase(memory, kSteps, block, blocks, last.as<void*>(), stream), "chase");
  };
  follow(0);
  stream.synchronize();
  Figure figure{test, shape, "us", {}, true, 0, -1};
  for (unsigned block = 0; block < blocks; ++block) {
    const double seconds = timed_seconds(stream, 1, [&] { follow(block); });
    figure.values.push_back(seconds * 1e6 / static_cast<double>(kSteps));
  }
  // The chain is closed and each link is fixed, so the end is known: a load that went elsewhere shows.
  void* reached = nullptr;
  SXB_CUDA(cudaMemcpy(&reached, last.data(), sizeof reached, cudaMemcpyDeviceToHost));
  if (reached != kernels::cuda::chase_end(memory, kChaseBytes, kSteps)) figure.wrong = 1;
  return figure;
}

}  // namespace sxb::engine::gpu
