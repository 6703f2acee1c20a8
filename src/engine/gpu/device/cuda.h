// How the tests time work without its launch, count wrong elements, and place host memory.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <functional>
#include <string>

#include "engine/base/cuda.h"

namespace sxb::engine::gpu {

/// On the NUMA node that the GPU hangs at: crossing the link between the sockets costs bandwidth.
PinnedMemory pinned_near_gpu(std::int64_t bytes);

/// NUMA node of the current GPU by /sys/bus/pci; -1 = unknown, or the machine has one.
int gpu_numa_node();

/// Holds a stream until everything to be timed is queued, so that no launch is in the time: the method of
/// nvbandwidth. What runs behind a closed gate must have run once before, because loading a kernel waits for
/// the device.
class Gate {
 public:
  void close(cudaStream_t stream);
  void open() { *flag_.as<volatile int>() = 1; }
  ~Gate() { open(); }

 private:
  PinnedMemory flag_ = pinned_near_gpu(sizeof(int));
};

/// Closes a gate behind what `stream` has been given, and opens it at the end if nobody has before: also when
/// a call throws, because nothing may be freed behind a closed gate.
class ClosedGate {
 public:
  ClosedGate(Gate& gate, cudaStream_t stream) : gate_(gate) { gate_.close(stream); }
  ~ClosedGate() { gate_.open(); }
  ClosedGate(const ClosedGate&) = delete;
  ClosedGate& operator=(const ClosedGate&) = delete;
  void open() { gate_.open(); }

 private:
  Gate& gate_;
};

/// Counts wrong elements on the device.
class WrongCounter {
 public:
  explicit WrongCounter(cudaStream_t stream) : stream_(stream) { reset(); }
  unsigned long long* device() const { return memory_.as<unsigned long long>(); }
  /// Waits; returns the count and sets it to zero.
  std::int64_t take();

 private:
  void reset() { SXB_CUDA(cudaMemsetAsync(memory_.data(), 0, sizeof(unsigned long long), stream_)); }
  cudaStream_t stream_;
  DeviceMemory memory_{sizeof(unsigned long long)};
};

/// Seconds of one of `count` calls in a row, behind a gate, after one that is not timed.
double gated_seconds(Gate& gate, const CudaStream& stream, int count, const std::function<void()>& call);
/// The same without a gate, for work that is long against its launch.
double timed_seconds(const CudaStream& stream, int count, const std::function<void()>& call);

/// Copies that one run times, as many as nvbandwidth's.
inline constexpr int kCopiesPerRun = 16;

}  // namespace sxb::engine::gpu
