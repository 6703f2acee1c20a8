// What the engine holds of CUDA, freed with the object: THE wrappers of streams, events, memory and graphs. A
// destructor can report nothing. Needs no libtorch.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <functional>
#include <utility>

#include "engine/base/cuda_check.h"

namespace sxb::engine {

/// A stream that does not wait for the default stream.
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

/// A point in the work of a stream, of the device that is the current one when it is made.
class CudaEvent {
 public:
  enum class Timing { kOff, kOn };

  explicit CudaEvent(Timing timing = Timing::kOn) {
    SXB_CUDA(
        cudaEventCreateWithFlags(&event_, timing == Timing::kOn ? cudaEventDefault : cudaEventDisableTiming));
  }
  CudaEvent(CudaEvent&& other) noexcept { swap(other); }
  CudaEvent& operator=(CudaEvent&& other) noexcept {
    swap(other);
    return *this;
  }
  ~CudaEvent() {
    if (event_ != nullptr) cudaEventDestroy(event_);
  }

  /// Marks what `stream` has been given so far.
  void record(cudaStream_t stream) { SXB_CUDA(cudaEventRecord(event_, stream)); }
  /// `stream` goes on only after the mark. One that was never recorded counts as passed, here and below.
  void block(cudaStream_t stream) const { SXB_CUDA(cudaStreamWaitEvent(stream, event_)); }
  void synchronize() const { SXB_CUDA(cudaEventSynchronize(event_)); }
  /// Both were made with timing, and their marks have passed.
  double milliseconds_to(const CudaEvent& later) const {
    float ms = 0;
    SXB_CUDA(cudaEventElapsedTime(&ms, event_, later.event_));
    return static_cast<double>(ms);
  }
  double seconds_to(const CudaEvent& later) const { return milliseconds_to(later) * 1e-3; }

 private:
  void swap(CudaEvent& other) noexcept { std::swap(event_, other.event_); }
  cudaEvent_t event_ = nullptr;
};

/// From cudaMalloc: whole allocations, which other processes can map. EngineError "out_of_memory".
class DeviceMemory {
 public:
  DeviceMemory() = default;
  explicit DeviceMemory(std::int64_t bytes) { SXB_CUDA(cudaMalloc(&data_, static_cast<std::size_t>(bytes))); }
  DeviceMemory(DeviceMemory&& other) noexcept { swap(other); }
  DeviceMemory& operator=(DeviceMemory&& other) noexcept {
    swap(other);
    return *this;
  }
  ~DeviceMemory() {
    if (data_ != nullptr) cudaFree(data_);
  }
  void* data() const { return data_; }
  template <typename T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  void swap(DeviceMemory& other) noexcept { std::swap(data_, other.data_); }
  void* data_ = nullptr;
};

/// Page-locked host memory.
class PinnedMemory {
 public:
  PinnedMemory() = default;
  explicit PinnedMemory(std::int64_t bytes) {
    SXB_CUDA(cudaHostAlloc(&data_, static_cast<std::size_t>(bytes), cudaHostAllocDefault));
  }
  PinnedMemory(PinnedMemory&& other) noexcept { swap(other); }
  PinnedMemory& operator=(PinnedMemory&& other) noexcept {
    swap(other);
    return *this;
  }
  ~PinnedMemory() {
    if (data_ != nullptr) cudaFreeHost(data_);
  }
  void* data() const { return data_; }
  template <typename T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  void swap(PinnedMemory& other) noexcept { std::swap(data_, other.data_); }
  void* data_ = nullptr;
};

/// What `issue` queues on a stream, captured; nothing of it has run.
class CudaGraph {
 public:
  CudaGraph(cudaStream_t stream, const std::function<void()>& issue);
  ~CudaGraph() {
    if (graph_ != nullptr) cudaGraphDestroy(graph_);
  }
  CudaGraph(const CudaGraph&) = delete;
  CudaGraph& operator=(const CudaGraph&) = delete;
  operator cudaGraph_t() const { return graph_; }

 private:
  cudaGraph_t graph_ = nullptr;
};

}  // namespace sxb::engine
