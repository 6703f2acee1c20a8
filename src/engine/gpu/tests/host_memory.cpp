// Copy and triad in the memory of the host, on the threads of a CPU rank. Bytes read plus bytes written
// count; what the cache fetches before it is overwritten does not (STREAM's convention).
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <thread>
#include <vector>

#include "base/units.h"
#include "engine/gpu/tests/test.h"
#include "engine/kernels/bench_pattern.h"

namespace sxb::engine::gpu {
namespace {

/// Larger than the caches, smaller than what a laptop would miss.
constexpr std::int64_t kMostBytes = 128 * kMiB;
constexpr float kHostScalar = 0.4f;

/// `body(begin, end)` over the elements, cut for the threads.
template <typename Body>
void in_parallel(int threads, std::int64_t count, const Body& body) {
  std::vector<std::jthread> others;
  const auto piece = [&](int i) { return count * i / threads; };
  for (int i = 1; i < threads; ++i) others.emplace_back([&, i] { body(piece(i), piece(i + 1)); });
  body(piece(0), piece(1));
}

void host_triad(float* __restrict a, const float* __restrict b, const float* __restrict c,
                std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) a[i] = b[i] + kHostScalar * c[i];
}

void run_host_memory(Context& context) {
  const std::int64_t bytes = std::min(context.suite.bytes, kMostBytes);
  const std::int64_t count = bytes / static_cast<std::int64_t>(sizeof(float));
  const int threads = context.task.cpu_threads;
  std::vector<float> a(static_cast<std::size_t>(count)), b = a, c = a;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const std::uint64_t bits = kernels::bench_hash(static_cast<std::uint64_t>(i), 1);
    b[at] = static_cast<float>(bits & 0xffff) / 256;
    c[at] = static_cast<float>(bits >> 48) / 256;
  }
  const auto measure = [&](const char* test, int passes, const auto& body, const auto& right) {
    const Runs runs = repeat(context.suite, [&] {
      const auto begin = std::chrono::steady_clock::now();
      in_parallel(threads, count, body);
      return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    });
    std::int64_t wrong = 0;
    for (std::size_t i = 0; i < a.size(); ++i) wrong += right(i) ? 0 : 1;
    context.emit({test, format_bytes(bytes) + ", host, " + std::to_string(threads) + " threads", "GB/s",
                  runs.rates(passes * static_cast<double>(bytes), 1e9), runs.stable, wrong, -1});
  };
  measure(
      "host_copy", 2,
      [&](std::int64_t begin, std::int64_t end) {
        std::memcpy(a.data() + begin, b.data() + begin,
                    static_cast<std::size_t>(end - begin) * sizeof(float));
      },
      [&](std::size_t i) { return a[i] == b[i]; });
  measure(
      "host_triad", 3,
      [&](std::int64_t begin, std::int64_t end) {
        host_triad(a.data() + begin, b.data() + begin, c.data() + begin, end - begin);
      },
      // The compiler may or may not fuse the two operations.
      [&](std::size_t i) { return std::abs(a[i] - (b[i] + kHostScalar * c[i])) <= 1e-6f * std::abs(a[i]); });
}

}  // namespace

extern const Test kHostMemory;
const Test kHostMemory = {"host_memory", needs_cpu, run_host_memory};

}  // namespace sxb::engine::gpu
