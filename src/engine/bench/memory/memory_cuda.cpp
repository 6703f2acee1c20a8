#include <algorithm>
#include <vector>

#include "base/units.h"
#include "engine/base/cuda.h"
#include "engine/bench/memory/memory.h"
#include "engine/comm/nccl/nccl_memory.h"

namespace sxb::engine::bench {
namespace {

class CudaMarks final : public Marks {
 public:
  CudaMarks(int count, cudaStream_t stream) : stream_(stream), events_(static_cast<std::size_t>(count)) {}

  void set(int index) override { events_[static_cast<std::size_t>(index)].record(stream_); }
  double between_us(int from, int to) override {
    return 1e3 *
           events_[static_cast<std::size_t>(from)].milliseconds_to(events_[static_cast<std::size_t>(to)]);
  }

 private:
  cudaStream_t stream_;
  std::vector<CudaEvent> events_;
};

class CudaReplay final : public Replay {
 public:
  CudaReplay(const std::function<void()>& issue, cudaStream_t stream)
      : stream_(stream), graph_(stream, issue) {
    SXB_CUDA(cudaGraphInstantiate(&executable_, graph_, 0));
  }
  CudaReplay(const CudaReplay&) = delete;
  CudaReplay& operator=(const CudaReplay&) = delete;
  ~CudaReplay() override { cudaGraphExecDestroy(executable_); }

  void launch() override { SXB_CUDA(cudaGraphLaunch(executable_, stream_)); }

 private:
  cudaStream_t stream_;
  CudaGraph graph_;
  cudaGraphExec_t executable_ = nullptr;
};

class CudaMemory final : public Memory {
 public:
  CudaMemory() {
    result_ = static_cast<kernels::cuda::VerifyResult*>(counter_.data());
    reset();
  }

  Stream stream() const override { return stream_; }
  bool fallback() const override {
    return std::any_of(buffers_.begin(), buffers_.end(),
                       [](const comm::NcclMemory& buffer) { return buffer.fallback(); });
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
  void fill(void* data, std::int64_t count, const kernels::VerifyPattern& pattern, int rank,
            std::int64_t first) override {
    check_launch(kernels::cuda::verify_fill(data, count, pattern, rank, first, stream_), "verify_fill");
  }

  std::unique_ptr<Marks> make_marks(int count) override {
    return std::make_unique<CudaMarks>(count, stream_);
  }
  std::unique_ptr<Replay> record(const std::function<void()>& issue) override {
    return std::make_unique<CudaReplay>(issue, stream_);
  }

 protected:
  void check(const Expectation& e) override {
    check_launch(kernels::cuda::verify_count(e.data, e.count, e.pattern, e.source, e.first, result_, stream_),
                 "verify_count");
  }
  Tally take_tally() override {
    kernels::cuda::VerifyResult found{};
    read(&found, result_, sizeof(found));
    reset();
    if (found.wrong == 0) return {};
    return {static_cast<std::int64_t>(found.wrong), reinterpret_cast<const void*>(found.first)};
  }
  void read(void* to, const void* from, std::int64_t bytes) override {
    SXB_CUDA(cudaMemcpyAsync(to, from, static_cast<std::size_t>(bytes), cudaMemcpyDeviceToHost, stream_));
    SXB_CUDA(cudaStreamSynchronize(stream_));
  }

 private:
  void reset() {
    SXB_CUDA(cudaMemsetAsync(&result_->wrong, 0, sizeof(result_->wrong), stream_));
    SXB_CUDA(cudaMemsetAsync(&result_->first, 0xFF, sizeof(result_->first), stream_));
  }

  comm::NcclMemory counter_{sizeof(kernels::cuda::VerifyResult)};
  kernels::cuda::VerifyResult* result_ = nullptr;
  std::vector<comm::NcclMemory> buffers_;
  CudaStream stream_;
};

}  // namespace

std::unique_ptr<Memory> make_cuda_memory() { return std::make_unique<CudaMemory>(); }

}  // namespace sxb::engine::bench
