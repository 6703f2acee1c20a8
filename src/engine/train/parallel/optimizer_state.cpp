#include "engine/train/parallel/optimizer_state.h"

#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "engine/base/cuda_check.h"

namespace sxb::engine::train {
namespace {

/// Float zeros in host memory. Not from PyTorch's pinned allocator: that one rounds up to powers of two.
at::Tensor host_zeros(std::int64_t numel, bool pinned) {
  const auto options = at::TensorOptions().dtype(at::kFloat);
  if (!pinned) return at::zeros({numel}, options);
  void* data = nullptr;
  const cudaError_t error = cudaMallocHost(&data, static_cast<std::size_t>(numel) * sizeof(float));
  if (error == cudaErrorMemoryAllocation) {
    throw EngineError("the host has no room for " + std::to_string(numel * 4 >> 20) +
                          " MiB more of pinned memory for the optimizer's state",
                      "out_of_memory", "more nodes, or --set training.offload=none");
  }
  SXB_CUDA(error);
  at::Tensor tensor = at::from_blob(
      data, {numel}, [](void* memory) { cudaFreeHost(memory); }, options);
  tensor.zero_();
  return tensor;
}

void update_range(const Device& device, at::Tensor param, at::Tensor master, at::Tensor m, at::Tensor v,
                  const at::Tensor& grad, const OptimizerState::Scalars& s) {
  if (device.cuda()) {
    const auto grad_type =
        grad.scalar_type() == at::kFloat ? kernels::Type::kFloat32 : kernels::Type::kBFloat16;
    kernels::cuda::adamw(device.type(), param.data_ptr(), master.data_ptr<float>(), m.data_ptr<float>(),
                         v.data_ptr<float>(), grad_type, grad.data_ptr(), s.grad_scale, s.step, s.constants,
                         param.numel(), device.compute_raw());
  } else {
    kernels::cpu::adamw(param.data_ptr<float>(), master.data_ptr<float>(), m.data_ptr<float>(),
                        v.data_ptr<float>(), grad.data_ptr<float>(), s.grad_scale, s.step, s.constants,
                        param.numel());
  }
}

}  // namespace

OptimizerState::OptimizerState(const std::vector<std::int64_t>& numel, bool offload, const Device& device,
                               std::int64_t chunk)
    : device_(device), offload_(offload), chunk_(chunk) {
  for (const std::int64_t n : numel) {
    const auto make = [&] { return offload ? host_zeros(n, device.cuda()) : device.zeros({n}, at::kFloat); };
    units_.push_back({make(), make(), make()});
  }
  if (!offload) return;
  slots_.resize(static_cast<std::size_t>(plan::kOffloadRing));
  for (Slot& slot : slots_) slot.state = device.empty({3, chunk}, at::kFloat);
  if (device.cuda()) {
    copy_in_ = c10::cuda::getStreamFromPool(/*isHighPriority=*/false, 0);
    copy_out_ = c10::cuda::getStreamFromPool(/*isHighPriority=*/false, 0);
  }
}

void OptimizerState::copy_chunk(const Unit& unit, std::int64_t first, std::int64_t count, Slot& slot,
                                bool to_device) {
  const std::array<const at::Tensor*, 3> host = {&unit.master, &unit.m, &unit.v};
  const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(float);
  for (std::int64_t i = 0; i < 3; ++i) {
    float* there = host[static_cast<std::size_t>(i)]->data_ptr<float>() + first;
    float* here = slot.state[i].data_ptr<float>();
    float* to = to_device ? here : there;
    const float* from = to_device ? there : here;
    if (device_.cuda()) {
      SXB_CUDA(
          cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, (to_device ? copy_in_ : copy_out_)->stream()));
    } else {
      std::memcpy(to, from, bytes);
    }
  }
}

void OptimizerState::begin_step() {
  chunks_ = 0;
  if (!copy_in_) return;
  device_.record_compute(step_begins_);
  step_begins_.block(*copy_in_);
  step_begins_.block(*copy_out_);
}

void OptimizerState::end_step() {
  // The next step begins behind this one, so no chunk is read before it is written back.
  for (std::size_t i = 0; copy_in_ && i < std::min(chunks_, slots_.size()); ++i) {
    slots_[i].out.block(*device_.compute_stream);
  }
}

void OptimizerState::update(std::size_t unit, std::int64_t begin, const at::Tensor& param,
                            const at::Tensor& grad, const Scalars& scalars) {
  const Unit& state = units_[unit];
  if (!offload_) {
    const auto part = [&](const at::Tensor& whole) { return whole.narrow(0, begin, param.numel()); };
    return update_range(device_, param, part(state.master), part(state.m), part(state.v), grad, scalars);
  }
  for (std::int64_t first = 0; first < param.numel(); first += chunk_) {
    const std::int64_t count = std::min(chunk_, param.numel() - first);
    Slot& slot = slots_[chunks_ % slots_.size()];
    // Behind begin_step() every slot is free: its marks of the last step are not asked for.
    if (copy_in_ && chunks_ >= slots_.size()) slot.out.block(*copy_in_);
    ++chunks_;
    copy_chunk(state, begin + first, count, slot, /*to_device=*/true);
    if (copy_in_) slot.in.record(*copy_in_);
    if (copy_in_) slot.in.block(*device_.compute_stream);
    update_range(device_, param.narrow(0, first, count), slot.state[0], slot.state[1], slot.state[2],
                 grad.narrow(0, first, count), scalars);
    device_.record_compute(slot.updated);
    if (copy_out_) slot.updated.block(*copy_out_);
    copy_chunk(state, begin + first, count, slot, /*to_device=*/false);
    if (copy_out_) slot.out.record(*copy_out_);
  }
}

void OptimizerState::set_master(std::size_t unit, std::int64_t first, std::int64_t count,
                                const std::function<void(at::Tensor& out)>& fill) {
  at::Tensor out = units_[unit].master.narrow(0, first, count);
  if (!offload_ || !device_.cuda()) return fill(out);
  at::Tensor on_device = device_.empty({count}, at::kFloat);
  fill(on_device);
  out.copy_(on_device);
}

}  // namespace sxb::engine::train
