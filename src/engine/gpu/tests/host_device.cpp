// Copies between pinned host memory and the GPU by the copy engines, one GPU of the node at a time.
#include "base/units.h"
#include "engine/gpu/device/cuda.h"
#include "engine/gpu/tests/test.h"
#include "engine/kernels/bench_pattern.h"
#include "engine/kernels/gpu_bench.h"

namespace sxb::engine::gpu {
namespace {

namespace cuda = kernels::cuda;

class HostDevice {
 public:
  explicit HostDevice(Context& context)
      : context_(context),
        bytes_(context.suite.bytes),
        host_(pinned_near_gpu(bytes_)),
        other_host_(pinned_near_gpu(bytes_)),
        device_(bytes_),
        other_device_(bytes_),
        wrong_(stream_) {
    const int node = gpu_numa_node();
    shape_ = format_bytes(bytes_) + " pinned" + (node < 0 ? "" : ", NUMA node " + std::to_string(node));
  }

  void run() {
    measure("h2d", true, false);
    measure("d2h", false, false);
    measure("h2d_bidir", true, true);
    measure("d2h_bidir", false, true);
  }

 private:
  std::size_t size() const { return static_cast<std::size_t>(bytes_); }
  static std::uint32_t word_of(const void* data, std::int64_t i) {
    return static_cast<const std::uint32_t*>(data)[i];
  }

  void copy(bool to_device, const DeviceMemory& device, const PinnedMemory& host, cudaStream_t stream) {
    if (to_device) {
      SXB_CUDA(cudaMemcpyAsync(device.data(), host.data(), size(), cudaMemcpyHostToDevice, stream));
    } else {
      SXB_CUDA(cudaMemcpyAsync(host.data(), device.data(), size(), cudaMemcpyDeviceToHost, stream));
    }
  }

  /// More copies in the other direction, so that they last as long as those that are timed.
  double run_both(bool to_device) {
    const auto call = [&] { copy(to_device, device_, host_, stream_); };
    const auto against = [&] { copy(!to_device, other_device_, other_host_, other_stream_); };
    CudaEvent released;
    ClosedGate closed(gate_, stream_);
    released.record(stream_);
    released.block(other_stream_);
    CudaEvent begin, end;
    for (int i = 0; i < 3 * kCopiesPerRun / 2 + 2; ++i) against();
    call();
    begin.record(stream_);
    for (int i = 0; i < kCopiesPerRun; ++i) call();
    end.record(stream_);
    closed.open();
    end.synchronize();
    other_stream_.synchronize();
    return begin.seconds_to(end) / kCopiesPerRun;
  }

  void fill(bool to_device) {
    ++seed_;
    if (!to_device) {
      check_launch(cuda::pattern_fill(device_.data(), bytes_, seed_, stream_), "pattern_fill");
      return stream_.synchronize();
    }
    const std::int64_t words = bytes_ / 4;
    for (std::int64_t i = 0; i < words; ++i) {
      host_.as<std::uint32_t>()[i] = kernels::bench_word(static_cast<std::uint64_t>(i), seed_);
    }
  }

  std::int64_t count_wrong(bool to_device) {
    if (to_device) {
      check_launch(cuda::pattern_check(device_.data(), bytes_, seed_, wrong_.device(), stream_),
                   "pattern_check");
      return wrong_.take();
    }
    std::int64_t wrong = 0;
    for (std::int64_t i = 0; i < bytes_ / 4; ++i) {
      wrong += word_of(host_.data(), i) != kernels::bench_word(static_cast<std::uint64_t>(i), seed_) ? 1 : 0;
    }
    return wrong;
  }

  void measure(const char* test, bool to_device, bool both_ways) {
    fill(to_device);
    const Runs runs = repeat(context_.suite, [&] {
      if (both_ways) return run_both(to_device);
      return gated_seconds(gate_, stream_, kCopiesPerRun, [&] { copy(to_device, device_, host_, stream_); });
    });
    context_.emit({test, shape_, "GB/s", runs.rates(static_cast<double>(bytes_), 1e9), runs.stable,
                   count_wrong(to_device), -1});
  }

  Context& context_;
  const std::int64_t bytes_;
  PinnedMemory host_, other_host_;
  DeviceMemory device_, other_device_;
  CudaStream stream_, other_stream_;
  Gate gate_;
  WrongCounter wrong_;
  std::uint64_t seed_ = 0;
  std::string shape_;
};

}  // namespace

extern const Test kHostDevice;
const Test kHostDevice = {"host_device", needs_gpu, [](Context& context) {
                            context.ranks.in_turn([&] { HostDevice(context).run(); });
                          }};

}  // namespace sxb::engine::gpu
