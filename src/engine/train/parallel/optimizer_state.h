// AdamW's state of this rank's shards: FP32 master weights and both moments, on the device or, with
// offload, in pinned host memory.
//
// Offloaded state is streamed: chunk by chunk to the device, through the same kernel, and back, both
// ways at once on the copy engines. AdamW on the CPU would move a sixth of the bytes over PCIe but the
// same 24 bytes per parameter through the host's memory, which all GPUs of a node share; it would need
// kernels of its own, as many cores as GPUs leave idle, and the host inside the step. Streaming gives
// the same bits as without offload and can be captured. Per step it takes about 12 bytes per parameter
// over the slower of PCIe and the rank's share of host memory bandwidth.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <functional>
#include <vector>

#include "engine/kernels/kernels.h"
#include "engine/train/device/device.h"
#include "plan/memory.h"

namespace sxb::engine::train {

class OptimizerState {
 public:
  /// numel: parameters of this rank's share of each unit.
  OptimizerState(const std::vector<std::int64_t>& numel, bool offload, const Device& device,
                 std::int64_t chunk = plan::kOffloadChunk);

  /// The scalars of one step; pointers are to device memory.
  struct Scalars {
    kernels::AdamW constants;
    const kernels::AdamWStep* step;
    const float* grad_scale;
  };
  /// Brackets the updates of one step.
  void begin_step();
  void end_step();
  /// AdamW on the compute stream: param (compute type) and grad hold elements [first, first + their number)
  /// of the unit's share. `first`: a multiple of 16 bytes' elements.
  void update(std::size_t unit, std::int64_t first, const at::Tensor& param, const at::Tensor& grad,
              const Scalars& scalars);

  /// Sets elements [first, first + count) of a unit's master weights to what fill(out) writes to a
  /// float tensor on the device. Waits for the device if offloaded.
  void set_master(std::size_t unit, std::int64_t first, std::int64_t count,
                  const std::function<void(at::Tensor& out)>& fill);
  const at::Tensor& master(std::size_t unit) const { return units_[unit].master; }
  /// Master weights and both moments, where they live: the device, or with offload host memory.
  std::array<at::Tensor, 3> parts(std::size_t unit) const {
    return {units_[unit].master, units_[unit].m, units_[unit].v};
  }
  bool on_device() const { return device_.cuda() && !offload_; }

 private:
  struct Unit {
    at::Tensor master, m, v;  ///< float (numel)
  };
  /// Room for one chunk of a unit on the device.
  struct Slot {
    at::Tensor state;  ///< float (3, chunk): master, m, v
    StepEvent in, updated, out;
  };
  void copy_chunk(const Unit& unit, std::int64_t first, std::int64_t count, Slot& slot, bool to_device);

  Device device_;
  bool offload_;
  std::int64_t chunk_;
  std::vector<Unit> units_;
  std::vector<Slot> slots_;
  std::size_t chunks_ = 0;  ///< of this step so far
  std::optional<c10::cuda::CUDAStream> copy_in_, copy_out_;
  StepEvent step_begins_;
};

}  // namespace sxb::engine::train
