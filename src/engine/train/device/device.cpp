#include "engine/train/device/device.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

namespace sxb::engine::train {

Device Device::make(bool cuda, bool bf16) {
  Device device;
  device.compute = bf16 ? at::kBFloat16 : at::kFloat;
  if (cuda) {
    device.at = at::Device(at::kCUDA, 0);
    device.compute_stream = c10::cuda::getStreamFromPool(/*isHighPriority=*/false, 0);
    device.comm_stream = c10::cuda::getStreamFromPool(/*isHighPriority=*/true, 0);
  }
  device.clock = std::make_shared<StepClock>(device.at);
  device.generation = std::make_shared<std::uint64_t>(0);
  return device;
}

void Device::join_streams() const {
  if (!compute_stream) return;
  StepEvent computed, communicated;
  computed.record(*compute_stream);
  computed.block(*comm_stream);
  communicated.record(*comm_stream);
  communicated.block(*compute_stream);
  ++*generation;
}

void Device::synchronize() const {
  if (compute_stream) compute_stream->synchronize();
  if (comm_stream) comm_stream->synchronize();
}

at::Tensor Device::empty(at::IntArrayRef shape, at::ScalarType type) const {
  return at::empty(shape, at::TensorOptions().device(at).dtype(type));
}

at::Tensor Device::zeros(at::IntArrayRef shape, at::ScalarType type) const {
  return at::zeros(shape, at::TensorOptions().device(at).dtype(type));
}

}  // namespace sxb::engine::train
