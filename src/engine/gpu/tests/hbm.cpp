// The GPU's own memory: copy by kernel and by copy engine, triad, read, write. Bytes read plus bytes written
// count.
#include <functional>
#include <numeric>
#include <vector>

#include "base/units.h"
#include "engine/gpu/device/cuda.h"
#include "engine/gpu/tests/test.h"
#include "engine/kernels/bench_pattern.h"
#include "engine/kernels/gpu_bench.h"

namespace sxb::engine::gpu {
namespace {

namespace cuda = kernels::cuda;

constexpr float kScalar = 0.4f;  // as STREAM's triad
constexpr unsigned kWord = 0x5ca1ab1e;

class Hbm {
 public:
  explicit Hbm(Context& context)
      : context_(context),
        bytes_(2 * context.suite.bytes),
        a_(bytes_),
        b_(bytes_),
        c_(bytes_),
        wrong_(stream_) {}

  void run() {
    check_launch(cuda::pattern_fill(b_.data(), bytes_, ++seed_, stream_), "pattern_fill");
    measure("hbm_copy_sm", 2,
            [&] { check_launch(cuda::memory_copy(a_.data(), b_.data(), bytes_, stream_), "copy"); });
    check_copy("hbm_copy_sm");
    check_launch(cuda::pattern_fill(b_.data(), bytes_, ++seed_, stream_), "pattern_fill");
    measure("hbm_copy_ce", 2, [&] {
      SXB_CUDA(cudaMemcpyAsync(a_.data(), b_.data(), size(), cudaMemcpyDeviceToDevice, stream_));
    });
    check_copy("hbm_copy_ce");
    read();
    write();
    triad();
  }

 private:
  std::size_t size() const { return static_cast<std::size_t>(bytes_); }

  void measure(const char* test, int passes, const std::function<void()>& call) {
    figure_ = {test, format_bytes(bytes_), "GB/s", {}, true, {}, -1};
    const Runs runs =
        repeat(context_.suite, [&] { return gated_seconds(gate_, stream_, kCopiesPerRun, call); });
    figure_.values = runs.rates(passes * static_cast<double>(bytes_), 1e9);
    figure_.stable = runs.stable;
  }

  void emit() {
    figure_.wrong = wrong_.take();
    context_.emit(figure_);
  }

  void check_copy(const char* kernel) {
    check_launch(cuda::pattern_check(a_.data(), bytes_, seed_, wrong_.device(), stream_), kernel);
    emit();
  }

  /// Every read adds the XOR of what it saw to the sums, so they show all words of all timed reads: one that
  /// was left out, or a word that was read wrong, is a sum other than the pattern's.
  void read() {
    std::vector<unsigned> slots(cuda::kReadSlots);
    const std::size_t slots_size = slots.size() * sizeof(unsigned);
    DeviceMemory sums(static_cast<std::int64_t>(slots_size));
    SXB_CUDA(cudaMemsetAsync(sums.data(), 0, slots_size, stream_));
    std::int64_t reads = 0;
    const auto call = [&] {
      ++reads;
      check_launch(cuda::memory_read(b_.data(), bytes_, sums.as<unsigned>(), stream_), "read");
    };
    measure("hbm_read", 1, call);
    if (reads % 2 == 0) call();  // an even number of XORs is 0, as if nothing had been read
    SXB_CUDA(cudaMemcpyAsync(slots.data(), sums.data(), slots_size, cudaMemcpyDeviceToHost, stream_));
    stream_.synchronize();
    const unsigned found = std::accumulate(slots.begin(), slots.end(), 0u, std::bit_xor<>());
    figure_.wrong = found == kernels::bench_xor(size(), seed_) ? 0 : 1;
    context_.emit(figure_);
  }

  void write() {
    measure("hbm_write", 1,
            [&] { check_launch(cuda::memory_write(a_.data(), bytes_, kWord, stream_), "write"); });
    check_launch(cuda::word_check(a_.data(), bytes_, kWord, wrong_.device(), stream_), "word_check");
    emit();
  }

  void triad() {
    const std::int64_t count = bytes_ / static_cast<std::int64_t>(sizeof(float));
    for (const DeviceMemory* operand : {&b_, &c_}) {
      check_launch(cuda::normal_fill(operand->data(), cuda::Element::kFp32, count, ++seed_, 1, stream_),
                   "normal_fill");
    }
    measure("hbm_triad", 3, [&] {
      check_launch(
          cuda::memory_triad(a_.as<float>(), b_.as<float>(), c_.as<float>(), kScalar, count, stream_),
          "triad");
    });
    check_launch(cuda::triad_check(a_.as<float>(), b_.as<float>(), c_.as<float>(), kScalar, count,
                                   wrong_.device(), stream_),
                 "triad_check");
    emit();
  }

  Context& context_;
  const std::int64_t bytes_;
  DeviceMemory a_, b_, c_;
  CudaStream stream_;
  Gate gate_;
  WrongCounter wrong_;
  std::uint64_t seed_ = 0;
  Figure figure_;
};

}  // namespace

extern const Test kHbm;
const Test kHbm = {"hbm", needs_gpu, [](Context& context) { Hbm(context).run(); }};

}  // namespace sxb::engine::gpu
