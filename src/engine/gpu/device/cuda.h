// What the tests hold on a GPU, freed with the object, and how they time work without its launch.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <functional>
#include <string>

#include "engine/base/cuda_check.h"

namespace sxb::engine::gpu {

/// The launchers of kernels/ return cudaError_t as int.
inline void check_launch(int error, const char* kernel) {
  check_cuda(static_cast<cudaError_t>(error), kernel, __FILE__, __LINE__);
}

/// From cudaMalloc: whole allocations, which other processes can map.
class DeviceMemory {
 public:
  DeviceMemory() = default;
  explicit DeviceMemory(std::int64_t bytes) { SXB_CUDA(cudaMalloc(&data_, static_cast<std::size_t>(bytes))); }
  DeviceMemory(DeviceMemory&& other) noexcept { swap(other); }
  DeviceMemory& operator=(DeviceMemory&& other) noexcept {
    swap(other);
    return *this;
  }
  ~DeviceMemory() { cudaFree(data_); }
  void* data() const { return data_; }
  template <typename T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  void swap(DeviceMemory& other) noexcept { std::swap(data_, other.data_); }
  void* data_ = nullptr;
};

/// Page-locked host memory on the NUMA node that the GPU hangs at: crossing the link between the sockets
/// costs bandwidth.
class PinnedMemory {
 public:
  explicit PinnedMemory(std::int64_t bytes);
  ~PinnedMemory() { cudaFreeHost(data_); }
  PinnedMemory(const PinnedMemory&) = delete;
  PinnedMemory& operator=(const PinnedMemory&) = delete;
  void* data() const { return data_; }
  template <typename T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  void* data_ = nullptr;
};

/// NUMA node of the current GPU by /sys/bus/pci; -1 = unknown, or the machine has one.
int gpu_numa_node();

class CudaStream {
 public:
  CudaStream() { SXB_CUDA(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking)); }
  ~CudaStream() { cudaStreamDestroy(stream_); }
  CudaStream(const CudaStream&) = delete;
  CudaStream& operator=(const CudaStream&) = delete;
  operator cudaStream_t() const { return stream_; }
  void synchronize() const { SXB_CUDA(cudaStreamSynchronize(stream_)); }

 private:
  cudaStream_t stream_ = nullptr;
};

class CudaEvent {
 public:
  CudaEvent() { SXB_CUDA(cudaEventCreate(&event_)); }
  ~CudaEvent() { cudaEventDestroy(event_); }
  CudaEvent(const CudaEvent&) = delete;
  CudaEvent& operator=(const CudaEvent&) = delete;
  void record(cudaStream_t stream) { SXB_CUDA(cudaEventRecord(event_, stream)); }
  void block(cudaStream_t stream) const { SXB_CUDA(cudaStreamWaitEvent(stream, event_)); }
  void synchronize() const { SXB_CUDA(cudaEventSynchronize(event_)); }
  double seconds_to(const CudaEvent& later) const {
    float ms = 0;
    SXB_CUDA(cudaEventElapsedTime(&ms, event_, later.event_));
    return static_cast<double>(ms) * 1e-3;
  }

 private:
  cudaEvent_t event_ = nullptr;
};

/// Holds a stream until everything to be timed is queued, so that no launch is in the time: the method of
/// nvbandwidth. What runs behind a closed gate must have run once before, because loading a kernel waits for
/// the device.
class Gate {
 public:
  void close(cudaStream_t stream);
  void open() { *flag_.as<volatile int>() = 1; }
  ~Gate() { open(); }

 private:
  PinnedMemory flag_{sizeof(int)};
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
