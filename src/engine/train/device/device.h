// The device of a rank and the order of work on it. On the CPU streams and events are nothing: calls
// run where they stand.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <memory>
#include <optional>
#include <utility>

#include "engine/base/cuda.h"
#include "engine/base/stream.h"
#include "engine/kernels/dtype.h"
#include "engine/kernels/kernels.h"
#include "engine/train/device/step_clock.h"

namespace sxb::engine::train {

/// A point in the work of one of the two streams, and whether somebody still has to wait for it. Made when it
/// is first recorded: ranks on a CPU have none.
class StepEvent {
 public:
  StepEvent() = default;
  explicit StepEvent(CudaEvent::Timing timing) : timing_(timing) {}
  /// Marks what `stream` has been given so far. `generation`: Device::generation.
  void record(cudaStream_t stream, std::uint64_t generation = 0) {
    if (!event_) event_.emplace(timing_);
    event_->record(stream);
    generation_ = generation;
    waited_ = false;
  }
  /// Recorded since the streams were last joined.
  bool pending(std::uint64_t generation) const { return event_ && generation_ == generation; }
  /// `stream` goes on only after the mark; nothing if it was never recorded.
  void block(cudaStream_t stream) const {
    if (event_) event_->block(stream);
  }
  /// True once for each mark: a stream that has been made to wait for it need not be again.
  bool claim_wait() const { return !std::exchange(waited_, true); }
  void synchronize() const {
    if (event_) event_->synchronize();
  }
  double milliseconds_to(const StepEvent& later) const { return event_->milliseconds_to(*later.event_); }

 private:
  CudaEvent::Timing timing_ = CudaEvent::Timing::kOff;
  std::uint64_t generation_ = 0;
  mutable bool waited_ = false;
  std::optional<CudaEvent> event_;
};

struct Device {
  at::Device at{at::kCPU};
  at::ScalarType compute = at::kFloat;  ///< of weights, activations and gradients
  std::optional<c10::cuda::CUDAStream> compute_stream;
  std::optional<c10::cuda::CUDAStream> comm_stream;  ///< high priority: a collective starts at once
  std::shared_ptr<StepClock> clock;
  std::shared_ptr<std::uint64_t> generation;  ///< how often the streams were joined

  static Device make(bool cuda, bool bf16);

  bool cuda() const { return at.is_cuda(); }
  kernels::Type type() const {
    return compute == at::kBFloat16 ? kernels::Type::kBFloat16 : kernels::Type::kFloat32;
  }
  Stream compute_raw() const { return compute_stream ? compute_stream->stream() : nullptr; }
  Stream comm_raw() const { return comm_stream ? comm_stream->stream() : nullptr; }
  /// A border between two phases of a step.
  void enter(StepPhase phase) const { clock->enter(phase, compute_raw()); }
  void record_compute(StepEvent& event) const {
    if (compute_stream) event.record(*compute_stream, *generation);
  }
  void record_comm(StepEvent& event) const {
    if (comm_stream) event.record(*comm_stream, *generation);
  }
  /// The compute stream goes on only after the mark. The time that it waits is exposed communication.
  void compute_waits(const StepEvent& event) const {
    if (!compute_stream || !event.pending(*generation) || !event.claim_wait()) return;
    clock->wait_begins(compute_raw());
    event.block(*compute_stream);
    clock->wait_ends(compute_raw());
  }
  void comm_waits(const StepEvent& event) const {
    if (comm_stream && event.pending(*generation)) event.block(*comm_stream);
  }
  /// Whatever either stream was given so far comes before whatever either will be given: no earlier
  /// mark needs a wait any more. A CUDA graph is recorded between two joins, because inside it nobody
  /// can wait for a mark from outside, nor outside for one from inside.
  void join_streams() const;
  void synchronize() const;

  at::Tensor empty(at::IntArrayRef shape) const { return empty(shape, compute); }
  at::Tensor empty(at::IntArrayRef shape, at::ScalarType type) const;
  at::Tensor zeros(at::IntArrayRef shape, at::ScalarType type) const;
};

inline DType comm_dtype(at::ScalarType type) {
  return type == at::kBFloat16 ? DType::kBFloat16 : DType::kFloat32;
}

}  // namespace sxb::engine::train
