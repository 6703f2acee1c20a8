// Burn of a GPU: every stream multiplies the same matrices into the next of its results, which fill the
// memory, and compares each with the first. The comparison of one stream runs beside the products of the
// others.
#include <algorithm>
#include <array>
#include <vector>

#include "engine/gpu/burn/burn.h"
#include "engine/gpu/product/gemm_case.h"

namespace sxb::engine::gpu {
namespace {

class CudaBurn final : public BurnDevice {
 public:
  explicit CudaBurn(const plan::Burn& burn)
      : lanes_(static_cast<std::size_t>(burn.streams)),
        product_(lanes_[0].blas, parse_numeric(burn.precision), {burn.size, burn.size, burn.size}, 1,
                 lanes_[0].stream) {
    SXB_CUDA(cudaMemsetAsync(seen_.data(), 0, sizeof(kernels::cuda::Mismatch), lanes_[0].stream));
    product_.tune(lanes_[0].blas, lanes_[0].stream);
    product_.run(lanes_[0].blas, lanes_[0].stream);  // the first result, with the algorithm of all others
    const std::int64_t wrong = product_.count_wrong(lanes_[0].stream);
    if (wrong > 0) {
      throw EngineError(std::to_string(wrong) + " elements of the first product differ from FP64",
                        "wrong_data", "the GPU computes wrongly: take it out of service",
                        ExitCode::kTaskFailed);
    }
    fill_memory(burn.memory_pct);
  }

  double flops_per_product() const override { return product_.shape().flops(); }
  int streams() const override { return static_cast<int>(lanes_.size()); }

  void enqueue(int stream, int count) override {
    Lane& lane = lanes_[static_cast<std::size_t>(stream)];
    for (int i = 0; i < count; ++i) {
      void* y = lane.results[lane.next].data();
      lane.next = (lane.next + 1) % lane.results.size();
      product_.run(lane.blas, lane.stream, y);
      check_launch(kernels::cuda::compare(product_.result(), y, product_.result_bytes(), ++number_,
                                          seen_.as<kernels::cuda::Mismatch>(), lane.stream),
                   "compare");
    }
    lane.marks[lane.mark].record(lane.stream);
    lane.mark = 1 - lane.mark;
  }

  /// The other mark is that of the enqueue before; one that was never recorded is done.
  void wait_for_older(int stream) override {
    Lane& lane = lanes_[static_cast<std::size_t>(stream)];
    lane.marks[lane.mark].synchronize();
  }

  void finish() override {
    for (const Lane& lane : lanes_) lane.stream.synchronize();
  }

  Mismatches mismatches() override {
    kernels::cuda::Mismatch seen{};
    SXB_CUDA(cudaMemcpyAsync(&seen, seen_.data(), sizeof seen, cudaMemcpyDeviceToHost, copies_));
    copies_.synchronize();
    return {static_cast<std::int64_t>(seen.count), static_cast<std::int64_t>(seen.result),
            static_cast<std::int64_t>(seen.offset), seen.expected, seen.found};
  }

  std::int64_t memory_bytes() override {
    std::size_t free = 0, total = 0;
    SXB_CUDA(cudaMemGetInfo(&free, &total));
    return static_cast<std::int64_t>(total - free);
  }

 private:
  struct Lane {
    CudaStream stream;
    Blas blas;
    std::vector<DeviceMemory> results;
    std::size_t next = 0, mark = 0;
    std::array<CudaEvent, 2> marks;
  };

  /// Results all over the memory, so that all of it is written and read. At least one for each stream.
  void fill_memory(int percent) {
    std::size_t free = 0, total = 0;
    SXB_CUDA(cudaMemGetInfo(&free, &total));
    const std::int64_t budget = static_cast<std::int64_t>(free) / 100 * percent;
    const auto streams = static_cast<std::int64_t>(lanes_.size());
    const std::int64_t each = std::max<std::int64_t>(1, budget / product_.result_bytes() / streams);
    for (Lane& lane : lanes_) {
      for (std::int64_t i = 0; i < each; ++i) lane.results.emplace_back(product_.result_bytes());
    }
  }

  std::vector<Lane> lanes_;
  GemmCase product_;
  CudaStream copies_;
  DeviceMemory seen_{sizeof(kernels::cuda::Mismatch)};
  unsigned long long number_ = 0;
};

}  // namespace

std::unique_ptr<BurnDevice> make_cuda_burn(const plan::Burn& burn) {
  return std::make_unique<CudaBurn>(burn);
}

}  // namespace sxb::engine::gpu
