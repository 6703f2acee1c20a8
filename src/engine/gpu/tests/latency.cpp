// How long a kernel launch takes, and one load from host memory.
#include <algorithm>
#include <chrono>

#include "engine/gpu/device/cuda.h"
#include "engine/gpu/tests/chase.h"
#include "engine/gpu/tests/test.h"
#include "engine/kernels/gpu_bench.h"

namespace sxb::engine::gpu {
namespace {

namespace cuda = kernels::cuda;

constexpr int kLaunches = 1000;

double host_seconds(const std::function<void()>& body) {
  const auto begin = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void launch(Context& context) {
  const CudaStream stream;
  const auto call = [&] { check_launch(cuda::empty(stream), "empty"); };
  call();
  stream.synchronize();
  const auto emit = [&](const char* test, const char* shape, const Runs& runs, double launches) {
    std::vector<double> us;
    for (const double s : runs.seconds) us.push_back(s * 1e6 / launches);
    context.emit({test, shape, "us", us, runs.stable, std::nullopt, -1});
  };
  // The host needs longer for a launch than the GPU for an empty kernel: the time of a queue of them is the
  // host's.
  emit("launch", "empty kernels, one after the other",
       repeat(context.suite,
              [&] {
                return host_seconds([&] {
                  for (int i = 0; i < kLaunches; ++i) call();
                  stream.synchronize();
                });
              }),
       kLaunches);
  emit("launch_wait", "an empty kernel and the wait for it",
       repeat(context.suite,
              [&] {
                return host_seconds([&] {
                  for (int i = 0; i < kLaunches; ++i) {
                    call();
                    stream.synchronize();
                  }
                });
              }),
       kLaunches);
}

void run_latency(Context& context) {
  context.ranks.in_turn([&] {
    launch(context);
    const PinnedMemory host = pinned_near_gpu(kChaseBytes);
    context.emit(chase_latency("host_latency", "a load from pinned host memory", host.data()));
  });
}

}  // namespace

extern const Test kLatency;
const Test kLatency = {"latency", needs_gpu, run_latency};

}  // namespace sxb::engine::gpu
