#include "engine/train/sharding.h"

#include <algorithm>

#include "engine/train/ops.h"

namespace sxb::engine {
namespace {

/// Block weights that exist at once under full sharding: the one in use, the next one, and one whose
/// readers are still running.
constexpr int kWeightRing = 3;
/// Gradient buffers of blocks: one being written, one being reduced.
constexpr int kGradientRing = 2;

}  // namespace

ShardedParameters::ShardedParameters(const Layout& layout, config::Sharding sharding, bool reduce_fp32,
                                     std::int64_t accumulation, const Device& device, Communicator& comm)
    : layout_(layout), sharding_(comm.world() == 1 ? config::Sharding::kNone : sharding),
      shards_state_(sharding_ != config::Sharding::kNone),
      shards_gradients_(sharding_ == config::Sharding::kGradients || sharding_ == config::Sharding::kFull),
      shards_weights_(sharding_ == config::Sharding::kFull), keeps_gradients_(!shards_gradients_),
      reduce_fp32_(reduce_fp32 && device.compute != at::kFloat), accumulation_(accumulation), device_(device),
      comm_(comm) {
  const int units = layout.count();
  const std::int64_t ranks = shards_state_ ? comm.world() : 1;
  const auto ring = [&](bool sharded, int size) { return sharded ? std::min(size, units - 2) : units - 2; };

  // Slots: [embedding, head, blocks...]; the two outer units always have their own.
  slots_.resize(static_cast<std::size_t>(2 + ring(shards_weights_, kWeightRing)));
  grad_slots_.resize(static_cast<std::size_t>(2 + ring(shards_gradients_, kGradientRing)));
  const std::int64_t largest = std::max(layout.units.front().numel, layout.units.back().numel);
  std::int64_t scratch = 0;
  for (int u = 0; u < units; ++u) {
    const std::int64_t numel = layout.units[static_cast<std::size_t>(u)].numel;
    Shard shard;
    shard.numel = numel / ranks;
    shard.begin = shards_state_ ? comm.rank() * shard.numel : 0;
    shard.master = device.zeros({shard.numel}, at::kFloat);
    shard.m = device.zeros({shard.numel}, at::kFloat);
    shard.v = device.zeros({shard.numel}, at::kFloat);
    shards_.push_back(shard);
    Slot& slot = weight_slot(u);
    if (!slot.buffer.defined()) slot.buffer = device.zeros({numel}, device.compute);
    GradSlot& grad_slot = gradient_slot(u);
    // Zeros once: alignment gaps and padding are never written, and must not poison the norm.
    if (!grad_slot.buffer.defined()) grad_slot.buffer = device.zeros({numel}, device.compute);
    if (shards_weights_) weight_shards_.push_back(device.zeros({shard.numel}, device.compute));
    if (shards_state_) {
      const bool fp32 = reduce_fp32_ || (shards_gradients_ && accumulation > 1);
      grad_shards_.push_back(device.zeros({shard.numel}, fp32 ? at::kFloat : device.compute));
    }
    scratch = std::max(scratch, numel);
  }
  if (reduce_fp32_) {
    reduce_scratch_ = device.empty({std::max(scratch, largest)}, at::kFloat);
  } else if (shards_gradients_ && accumulation > 1) {
    reduce_scratch_ = device.empty({std::max(scratch, largest) / ranks}, device.compute);
  }
  squares_scratch_ = device.empty({kernels::cuda::kSumOfSquaresScratch}, at::kFloat);
}

ShardedParameters::Slot& ShardedParameters::weight_slot(int unit) {
  if (unit == layout_.embedding()) return slots_[0];
  if (unit == layout_.head()) return slots_[1];
  return slots_[2 + static_cast<std::size_t>(unit - 1) % (slots_.size() - 2)];
}

ShardedParameters::GradSlot& ShardedParameters::gradient_slot(int unit) {
  if (unit == layout_.embedding()) return grad_slots_[0];
  if (unit == layout_.head()) return grad_slots_[1];
  return grad_slots_[2 + static_cast<std::size_t>(unit - 1) % (grad_slots_.size() - 2)];
}

// --- weights -------------------------------------------------------------------------------------

void ShardedParameters::prefetch(int unit) {
  if (!shards_weights_ || unit < 0 || unit >= layout_.count()) return;
  Slot& slot = weight_slot(unit);
  if (slot.owner == unit) return;
  slot.owner = unit;
  device_.comm_waits(slot.free);
  const at::Tensor& part = weight_shards_[static_cast<std::size_t>(unit)];
  const Span span(device_, Track::kCommunication, "gather", unit);
  comm_.all_gather(part.data_ptr(), slot.buffer.data_ptr(), part.numel(), comm_dtype(device_.compute),
                   device_.comm_raw());
  device_.record_comm(slot.ready);
}

const at::Tensor& ShardedParameters::gather(int unit) {
  prefetch(unit);
  Slot& slot = weight_slot(unit);
  device_.compute_waits(slot.ready);
  return slot.buffer;
}

void ShardedParameters::release(int unit) { device_.record_compute(weight_slot(unit).free); }

// --- gradients -----------------------------------------------------------------------------------

at::Tensor& ShardedParameters::gradients(int unit) {
  GradSlot& slot = gradient_slot(unit);
  device_.compute_waits(slot.free);
  return slot.buffer;
}

void ShardedParameters::reduce(int unit) {
  const bool last = micro_step_ + 1 == accumulation_;
  if (comm_.world() == 1 || (keeps_gradients_ && !last)) return;
  GradSlot& slot = gradient_slot(unit);
  device_.record_compute(gradients_ready_);
  device_.comm_waits(gradients_ready_);
  const Span span(device_, Track::kCommunication, "reduce", unit);
  std::optional<c10::cuda::CUDAStreamGuard> guard;
  if (device_.comm_stream) guard.emplace(*device_.comm_stream);

  at::Tensor full = slot.buffer;
  if (reduce_fp32_) {
    full = reduce_scratch_.narrow(0, 0, slot.buffer.numel());
    full.copy_(slot.buffer);
  }
  const DType dtype = comm_dtype(full.scalar_type());
  if (!shards_state_) {
    comm_.all_reduce(full.data_ptr(), full.data_ptr(), full.numel(), dtype, RedOp::kSum, device_.comm_raw());
    if (reduce_fp32_) slot.buffer.copy_(full);
  } else {
    at::Tensor& shard = grad_shards_[static_cast<std::size_t>(unit)];
    const bool adds_up = shards_gradients_ && accumulation_ > 1;
    at::Tensor out = shard;
    if (adds_up) {
      out = reduce_fp32_ ? full.narrow(0, comm_.rank() * shard.numel(), shard.numel())  // in place
                         : reduce_scratch_.narrow(0, 0, shard.numel());
    }
    comm_.reduce_scatter(full.data_ptr(), out.data_ptr(), shard.numel(), dtype, RedOp::kSum, device_.comm_raw());
    if (adds_up) {
      if (micro_step_ == 0) {
        shard.copy_(out);
      } else {
        shard.add_(out);
      }
    }
  }
  device_.record_comm(slot.free);
  device_.record_comm(reduced_);
}

// --- optimizer -----------------------------------------------------------------------------------

void ShardedParameters::add_squares(at::Tensor& sum_sq) {
  device_.compute_waits(reduced_);
  // Without sharding every rank holds the whole gradient: one of them counts it.
  if (!shards_state_ && comm_.rank() != 0) return;
  for (int u = 0; u < layout_.count(); ++u) {
    const at::Tensor& grad = shards_state_ ? grad_shards_[static_cast<std::size_t>(u)] : gradient_slot(u).buffer;
    if (device_.cuda()) {
      const auto type = grad.scalar_type() == at::kFloat ? kernels::Type::kFloat32 : kernels::Type::kBFloat16;
      kernels::cuda::sum_of_squares(type, sum_sq.data_ptr<double>(), grad.data_ptr(), squares_scratch_.data_ptr<float>(),
                                    grad.numel(), device_.compute_raw());
    } else {
      kernels::cpu::sum_of_squares(sum_sq.data_ptr<double>(), grad.data_ptr<float>(), grad.numel());
    }
  }
}

void ShardedParameters::optimizer_step(const kernels::AdamW& constants, const at::Tensor& step,
                                       const at::Tensor& grad_scale) {
  const auto* s = reinterpret_cast<const kernels::AdamWStep*>(step.data_ptr<float>());
  for (int u = 0; u < layout_.count(); ++u) {
    const std::size_t i = static_cast<std::size_t>(u);
    Shard& shard = shards_[i];
    const at::Tensor& grad = shards_state_ ? grad_shards_[i] : gradient_slot(u).buffer;
    at::Tensor param = shards_weights_ ? weight_shards_[i] : weight_slot(u).buffer.narrow(0, shard.begin, shard.numel);
    if (device_.cuda()) {
      const auto grad_type = grad.scalar_type() == at::kFloat ? kernels::Type::kFloat32 : kernels::Type::kBFloat16;
      kernels::cuda::adamw(device_.type(), param.data_ptr(), shard.master.data_ptr<float>(), shard.m.data_ptr<float>(),
                           shard.v.data_ptr<float>(), grad_type, grad.data_ptr(), grad_scale.data_ptr<float>(), s,
                           constants, shard.numel, device_.compute_raw());
    } else {
      kernels::cpu::adamw(param.data_ptr<float>(), shard.master.data_ptr<float>(), shard.m.data_ptr<float>(),
                          shard.v.data_ptr<float>(), grad.data_ptr<float>(), grad_scale.data_ptr<float>(), s, constants,
                          shard.numel);
    }
    gather_after_update(u);
  }
}

/// The compute weights of a unit have changed in this rank's shard: make them whole again, now or at
/// the next gather.
void ShardedParameters::gather_after_update(int unit) {
  Slot& slot = weight_slot(unit);
  if (shards_weights_) {
    slot.owner = -1;
    device_.record_compute(slot.free);
    return;
  }
  if (!shards_state_) return;
  device_.record_compute(updated_);
  device_.comm_waits(updated_);
  const Shard& shard = shards_[static_cast<std::size_t>(unit)];
  const at::Tensor part = slot.buffer.narrow(0, shard.begin, shard.numel);
  const Span span(device_, Track::kCommunication, "gather", unit);
  comm_.all_gather(part.data_ptr(), slot.buffer.data_ptr(), shard.numel, comm_dtype(device_.compute),
                   device_.comm_raw());
  device_.record_comm(slot.ready);
}

// --- contents ------------------------------------------------------------------------------------

void ShardedParameters::initialize(const Fill& fill) {
  for (int u = 0; u < layout_.count(); ++u) {
    const std::size_t i = static_cast<std::size_t>(u);
    Shard& shard = shards_[i];
    for (const Param& param : layout_.units[i].params) {
      const std::int64_t begin = std::max(param.offset, shard.begin);
      const std::int64_t end = std::min(param.offset + param.numel(), shard.begin + shard.numel);
      if (begin >= end) continue;
      at::Tensor out = shard.master.narrow(0, begin - shard.begin, end - begin);
      fill(u, param, begin - param.offset, end - begin, out);
    }
    at::Tensor param = shards_weights_ ? weight_shards_[i] : weight_slot(u).buffer.narrow(0, shard.begin, shard.numel);
    param.copy_(shard.master);
    gather_after_update(u);
  }
}

}  // namespace sxb::engine
