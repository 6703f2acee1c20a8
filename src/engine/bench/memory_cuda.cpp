#include <algorithm>
#include <vector>

#include "engine/bench/memory.h"
#include "engine/comm/cuda_check.h"
#include "engine/comm/nccl_memory.h"
#include "sxbench/base/units.h"

namespace sxb::engine {
namespace {

/// The launchers of kernels/ return cudaError_t as int: their header knows no CUDA.
void check_launch(int error, const char* kernel, int line) {
  check_cuda(static_cast<cudaError_t>(error), kernel, __FILE__, line);
}

class CudaMemory final : public Memory {
 public:
  CudaMemory() {
    SXB_CUDA(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
    wrong_ = static_cast<unsigned long long*>(counter_.data());
    SXB_CUDA(cudaMemsetAsync(wrong_, 0, sizeof(*wrong_), stream_));
  }
  CudaMemory(const CudaMemory&) = delete;
  CudaMemory& operator=(const CudaMemory&) = delete;
  ~CudaMemory() override { cudaStreamDestroy(stream_); }  // a destructor can report nothing

  Stream stream() const override { return stream_; }
  bool fallback() const override {
    return std::any_of(buffers_.begin(), buffers_.end(),
                       [](const NcclMemory& buffer) { return buffer.fallback(); });
  }

  /// nccl-tests' reserve: 1 GiB for each 16 GiB of the device, at most 4, and 1 GiB more.
  std::int64_t available_bytes() const override {
    std::size_t free = 0;
    std::size_t total = 0;
    SXB_CUDA(cudaMemGetInfo(&free, &total));
    const auto total_bytes = static_cast<std::int64_t>(total);
    const std::int64_t reserve = std::min(total_bytes / 16, 4 * kGiB) + kGiB;
    return std::max<std::int64_t>(static_cast<std::int64_t>(free) - reserve, 0);
  }

  void* allocate(std::int64_t bytes) override { return buffers_.emplace_back(bytes).data(); }

  void poison(void* data, std::int64_t bytes) override {
    if (bytes > 0) SXB_CUDA(cudaMemsetAsync(data, kPoisonByte, static_cast<std::size_t>(bytes), stream_));
  }
  void fill(void* data, std::int64_t count, const kernels::VerifyPattern& pattern, int rank) override {
    check_launch(kernels::cuda::verify_fill(data, count, pattern, rank, 0, stream_), "verify_fill", __LINE__);
  }
  void expect_reduced(const void* data, std::int64_t count, const kernels::VerifyPattern& pattern,
                      std::int64_t first) override {
    check_launch(kernels::cuda::verify_reduced(data, count, pattern, first, wrong_, stream_),
                 "verify_reduced", __LINE__);
  }
  void expect_copied(const void* data, std::int64_t count, const kernels::VerifyPattern& pattern, int source,
                     std::int64_t first) override {
    check_launch(kernels::cuda::verify_copied(data, count, pattern, source, first, wrong_, stream_),
                 "verify_copied", __LINE__);
  }
  std::int64_t take_wrong() override {
    unsigned long long wrong = 0;
    SXB_CUDA(cudaMemcpyAsync(&wrong, wrong_, sizeof(wrong), cudaMemcpyDeviceToHost, stream_));
    SXB_CUDA(cudaStreamSynchronize(stream_));
    SXB_CUDA(cudaMemsetAsync(wrong_, 0, sizeof(wrong), stream_));
    return static_cast<std::int64_t>(wrong);
  }

 private:
  NcclMemory counter_{sizeof(unsigned long long)};
  unsigned long long* wrong_ = nullptr;
  cudaStream_t stream_ = nullptr;
  std::vector<NcclMemory> buffers_;
};

}  // namespace

std::unique_ptr<Memory> make_cuda_memory() { return std::make_unique<CudaMemory>(); }

}  // namespace sxb::engine
