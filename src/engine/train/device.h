// The device of a rank and the order of work on it. On the CPU streams and events are nothing: calls
// run where they stand.
#pragma once

#include <ATen/cuda/CUDAEvent.h>
#include <ATen/core/Tensor.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <optional>

#include "engine/comm/communicator.h"
#include "engine/kernels/kernels.h"

namespace sxb::engine {

/// A point in the work of a stream.
class Event {
 public:
  Event() = default;
  explicit Event(bool timing) : timing_(timing) {}
  /// Marks what `stream` has been given so far.
  void record(const c10::cuda::CUDAStream& stream) {
    if (!event_) event_.emplace(timing_ ? cudaEventDefault : cudaEventDisableTiming);
    event_->record(stream);
  }
  /// `stream` goes on only after the mark; nothing if it was never recorded.
  void block(const c10::cuda::CUDAStream& stream) const {
    if (event_) event_->block(stream);
  }
  void synchronize() const {
    if (event_) event_->synchronize();
  }
  double milliseconds_to(const Event& later) const { return static_cast<double>(event_->elapsed_time(*later.event_)); }

 private:
  bool timing_ = false;
  mutable std::optional<at::cuda::CUDAEvent> event_;
};

struct Device {
  at::Device at{at::kCPU};
  at::ScalarType compute = at::kFloat;  ///< of weights, activations and gradients
  std::optional<c10::cuda::CUDAStream> compute_stream;
  std::optional<c10::cuda::CUDAStream> comm_stream;  ///< high priority: a collective starts at once

  static Device make(bool cuda, bool bf16);

  bool cuda() const { return at.is_cuda(); }
  kernels::Type type() const {
    return compute == at::kBFloat16 ? kernels::Type::kBFloat16 : kernels::Type::kFloat32;
  }
  Stream compute_raw() const { return compute_stream ? compute_stream->stream() : nullptr; }
  Stream comm_raw() const { return comm_stream ? comm_stream->stream() : nullptr; }
  void record_compute(Event& event) const {
    if (compute_stream) event.record(*compute_stream);
  }
  void record_comm(Event& event) const {
    if (comm_stream) event.record(*comm_stream);
  }
  void compute_waits(const Event& event) const {
    if (compute_stream) event.block(*compute_stream);
  }
  void comm_waits(const Event& event) const {
    if (comm_stream) event.block(*comm_stream);
  }
  void synchronize() const;

  at::Tensor empty(at::IntArrayRef shape) const { return empty(shape, compute); }
  at::Tensor empty(at::IntArrayRef shape, at::ScalarType type) const;
  at::Tensor zeros(at::IntArrayRef shape, at::ScalarType type) const;
};

inline DType comm_dtype(at::ScalarType type) { return type == at::kBFloat16 ? DType::kBFloat16 : DType::kFloat32; }

}  // namespace sxb::engine
