#include "engine/train/parallel/sharding.h"

#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <functional>
#include <memory>

#include "engine/comm/nccl/nccl_memory.h"

namespace sxb::engine::train {
namespace {

using config::Sharding;

/// Gradient buffers of blocks: one being written, one being reduced.
constexpr std::int64_t kGradientRing = 2;

bool is_full(Sharding sharding) { return sharding == Sharding::kFull || sharding == Sharding::kHybrid; }

ShardingOptions settled(ShardingOptions options, int world) {
  if (world == 1) options.sharding = Sharding::kNone;
  return options;
}

}  // namespace

ShardedParameters::ShardedParameters(const Layout& layout, const ShardingOptions& options,
                                     const Device& device, const ProcessGroups& groups)
    : layout_(layout),
      options_(settled(options, groups.world().world())),
      shards_state_(options_.sharding != Sharding::kNone),
      shards_gradients_(options_.sharding == Sharding::kGradients || is_full(options_.sharding)),
      shards_weights_(is_full(options_.sharding)),
      keeps_gradients_(!shards_gradients_),
      reduce_fp32_(options.reduce_fp32 && device.compute != at::kFloat),
      device_(device),
      groups_(groups) {
  allocate();
  find_stretches();
}

/// Where norms lie in the shards. All borders are multiples of kAlignment: what lies between a norm's end and
/// the next tensor is never read.
void ShardedParameters::find_stretches() {
  for (int u = 0; u < layout_.count(); ++u) {
    const UnitLayout& unit = layout_.units[static_cast<std::size_t>(u)];
    const Shard& shard = shards_[static_cast<std::size_t>(u)];
    std::vector<Stretch>& stretches = stretches_.emplace_back();
    for (std::size_t i = 0; i < unit.params.size(); ++i) {
      const std::int64_t next = i + 1 < unit.params.size() ? unit.params[i + 1].offset : unit.numel;
      const std::int64_t begin = std::max(unit.params[i].offset, shard.begin) - shard.begin;
      const std::int64_t end = std::min(next, shard.begin + shard.numel) - shard.begin;
      if (begin >= end) continue;
      const bool decays = !unit.params[i].is_norm;
      if (stretches.empty() || stretches.back().decays != decays) stretches.push_back({begin, 0, decays});
      stretches.back().numel = end - stretches.back().first;
    }
  }
}

void ShardedParameters::allocate() {
  const int units = layout_.count();
  const std::int64_t ranks = shards_state_ ? groups_.shard().world() : 1;
  const std::int64_t blocks = units - 2;
  const auto ring = [&](bool sharded, std::int64_t size) {
    return sharded ? std::min(size, blocks) : blocks;
  };
  const bool sums_micro_steps = shards_gradients_ && options_.accumulation > 1;

  // Slots: [embedding, head, blocks...]; the two outer units always have their own.
  slots_.resize(static_cast<std::size_t>(2 + ring(shards_weights_, options_.resident_blocks)));
  grad_slots_.resize(static_cast<std::size_t>(2 + ring(shards_gradients_, kGradientRing)));
  std::vector<std::int64_t> shares;
  std::int64_t largest = 0;
  for (int u = 0; u < units; ++u) {
    const std::int64_t numel = layout_.units[static_cast<std::size_t>(u)].numel;
    const std::int64_t share = numel / ranks;
    shares.push_back(share);
    shards_.push_back({shards_state_ ? groups_.shard().rank() * share : 0, share});
    Slot& slot = weight_slot(u);
    if (!slot.buffer.defined()) slot.buffer = collective_zeros(numel, device_.compute, groups_.gather());
    GradSlot& grad_slot = gradient_slot(u);
    // Zeros once: alignment gaps and padding are never written, and must not poison the norm.
    if (!grad_slot.buffer.defined())
      grad_slot.buffer = collective_zeros(numel, device_.compute, groups_.shard());
    if (shards_weights_) weight_shards_.push_back(collective_zeros(share, device_.compute, groups_.gather()));
    if (shards_state_) {
      const at::ScalarType type = reduce_fp32_ || sums_micro_steps ? at::kFloat : device_.compute;
      grad_shards_.push_back(collective_zeros(share, type, groups_.shard()));
    }
    largest = std::max(largest, numel);
  }
  if (reduce_fp32_) {
    reduce_scratch_ = collective_zeros(largest, at::kFloat, groups_.shard());
  } else if (sums_micro_steps) {
    reduce_scratch_ = collective_zeros(largest / ranks, device_.compute, groups_.shard());
  }
  state_.emplace(shares, options_.offload, device_);
  squares_scratch_ = device_.empty({kernels::cuda::kSumOfSquaresScratch}, at::kFloat);
}

/// A buffer that `comm` reads or writes.
at::Tensor ShardedParameters::collective_zeros(std::int64_t numel, at::ScalarType type,
                                               comm::Communicator& comm) const {
  if (!options_.symmetric || !device_.cuda()) return device_.zeros({numel}, type);
  const auto bytes = numel * static_cast<std::int64_t>(c10::elementSize(type));
  auto memory = std::make_shared<comm::NcclMemory>(bytes);
  auto window = comm.register_window(memory->data(), bytes);
  at::Tensor tensor = at::from_blob(
      memory->data(), {numel},
      [memory, window](void*) mutable {
        window.reset();  // before the memory
        memory.reset();
      },
      at::TensorOptions().device(device_.at).dtype(type));
  tensor.zero_();
  return tensor;
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

/// The compute weights of this rank's share.
at::Tensor ShardedParameters::weight_shard(int unit) {
  const Shard& shard = shards_[static_cast<std::size_t>(unit)];
  if (shards_weights_) return weight_shards_[static_cast<std::size_t>(unit)];
  return weight_slot(unit).buffer.narrow(0, shard.begin, shard.numel);
}

/// The gradients of this rank's share, once they are reduced.
const at::Tensor& ShardedParameters::reduced_gradients(int unit) {
  return shards_state_ ? grad_shards_[static_cast<std::size_t>(unit)] : gradient_slot(unit).buffer;
}

// --- weights -------------------------------------------------------------------------------------

void ShardedParameters::all_gather(int unit) {
  Slot& slot = weight_slot(unit);
  const at::Tensor part = weight_shard(unit);
  const Span span(device_, Track::kCommunication, "gather", unit);
  groups_.gather().all_gather(part.data_ptr(), slot.buffer.data_ptr(), part.numel(),
                              comm_dtype(device_.compute), device_.comm_raw());
}

void ShardedParameters::prefetch(int unit) {
  if (!shards_weights_ || unit < 0 || unit >= layout_.count()) return;
  Slot& slot = weight_slot(unit);
  if (slot.owner == unit) return;
  slot.owner = unit;
  device_.comm_waits(slot.free);
  all_gather(unit);
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

void ShardedParameters::all_reduce(at::Tensor& data, comm::Communicator& comm) {
  comm.all_reduce(data.data_ptr(), data.data_ptr(), data.numel(), comm_dtype(data.scalar_type()), RedOp::kSum,
                  device_.comm_raw());
}

void ShardedParameters::reduce(int unit) {
  const bool last = micro_step_ + 1 == options_.accumulation;
  if (groups_.world().world() == 1 || (keeps_gradients_ && !last)) return;
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
  if (!shards_state_) {
    all_reduce(full, groups_.world());
    if (reduce_fp32_) slot.buffer.copy_(full);
  } else {
    comm::Communicator& comm = groups_.shard();
    at::Tensor& shard = grad_shards_[static_cast<std::size_t>(unit)];
    const bool adds_up = shards_gradients_ && options_.accumulation > 1;
    at::Tensor out = shard;
    if (adds_up) {
      out = reduce_fp32_ ? full.narrow(0, comm.rank() * shard.numel(), shard.numel())  // in place
                         : reduce_scratch_.narrow(0, 0, shard.numel());
    }
    comm.reduce_scatter(full.data_ptr(), out.data_ptr(), shard.numel(), comm_dtype(full.scalar_type()),
                        RedOp::kSum, device_.comm_raw());
    if (adds_up) {
      if (micro_step_ == 0) {
        shard.copy_(out);
      } else {
        shard.add_(out);
      }
    }
  }
  device_.record_comm(slot.free);
  if (last && groups_.replicas() != nullptr) {  // nodes meet once a step, with the sum of all micro-steps
    all_reduce(grad_shards_[static_cast<std::size_t>(unit)], *groups_.replicas());
  }
  device_.record_comm(reduced_);
}

// --- optimizer -----------------------------------------------------------------------------------

void ShardedParameters::add_squares(at::Tensor& sum_sq) {
  device_.compute_waits(reduced_);
  // Ranks that hold the same gradients: one of them counts them.
  if (!shards_state_ && groups_.world().rank() != 0) return;
  if (groups_.replicas() != nullptr && groups_.replicas()->rank() != 0) return;
  for (int u = 0; u < layout_.count(); ++u) {
    const at::Tensor& grad = reduced_gradients(u);
    if (device_.cuda()) {
      const auto type = grad.scalar_type() == at::kFloat ? kernels::Type::kFloat32 : kernels::Type::kBFloat16;
      kernels::cuda::sum_of_squares(type, sum_sq.data_ptr<double>(), grad.data_ptr(),
                                    squares_scratch_.data_ptr<float>(), grad.numel(), device_.compute_raw());
    } else {
      kernels::cpu::sum_of_squares(sum_sq.data_ptr<double>(), grad.data_ptr<float>(), grad.numel());
    }
  }
}

void ShardedParameters::optimizer_step(const kernels::AdamW& constants, const at::Tensor& step,
                                       const at::Tensor& grad_scale) {
  const OptimizerState::Scalars scalars = {
      constants, reinterpret_cast<const kernels::AdamWStep*>(step.data_ptr<float>()),
      grad_scale.data_ptr<float>()};
  OptimizerState::Scalars undecayed = scalars;
  undecayed.constants.weight_decay = 0;
  state_->begin_step();
  for (int u = 0; u < layout_.count(); ++u) {
    at::Tensor param = weight_shard(u);
    const at::Tensor& gradient = reduced_gradients(u);
    if (constants.weight_decay == 0) {
      state_->update(static_cast<std::size_t>(u), 0, param, gradient, scalars);
    } else {
      for (const Stretch& stretch : stretches_[static_cast<std::size_t>(u)]) {
        state_->update(
            static_cast<std::size_t>(u), stretch.first, param.narrow(0, stretch.first, stretch.numel),
            gradient.narrow(0, stretch.first, stretch.numel), stretch.decays ? scalars : undecayed);
      }
    }
    gather_after_update(u);
  }
  state_->end_step();
}

/// The compute weights of a unit have changed in this rank's shard: make them whole again, now or at
/// the next gather.
void ShardedParameters::gather_after_update(int unit) {
  if (!shards_state_) return;
  Slot& slot = weight_slot(unit);
  if (shards_weights_) {
    if (slot.owner == unit) slot.owner = -1;
    // What the next forward pass reads first travels under the updates of the other units; the slots
    // of later blocks are taken by earlier ones. The mark also keeps the gather behind the update.
    device_.record_compute(slot.free);
    const int resident = static_cast<int>(slots_.size()) - 2;
    if (unit <= resident && unit != layout_.head()) prefetch(unit);  // the embedding is unit 0
    return;
  }
  device_.record_compute(updated_);
  device_.comm_waits(updated_);
  all_gather(unit);
  device_.record_comm(slot.ready);
}

// --- contents ------------------------------------------------------------------------------------

void ShardedParameters::initialize(const Fill& fill) {
  for (int u = 0; u < layout_.count(); ++u) {
    const std::size_t i = static_cast<std::size_t>(u);
    const Shard& shard = shards_[i];
    for (const Param& param : layout_.units[i].params) {
      const std::int64_t begin = std::max(param.offset, shard.begin);
      const std::int64_t end = std::min(param.offset + param.numel(), shard.begin + shard.numel);
      if (begin >= end) continue;
      state_->set_master(i, begin - shard.begin, end - begin,
                         [&](at::Tensor& out) { fill(u, param, begin - param.offset, end - begin, out); });
    }
  }
  take_state();
}

void ShardedParameters::take_state() {
  for (int u = 0; u < layout_.count(); ++u) {
    weight_shard(u).copy_(state_->master(static_cast<std::size_t>(u)));
    gather_after_update(u);
  }
}

std::string ShardedParameters::describe_paths() {
  if (groups_.world().world() == 1) return "none: one rank";
  device_.synchronize();
  const int unit = layout_.first_block();
  const auto path = [&](comm::Communicator& comm, const std::function<void()>& issue) {
    return comm.path_of(issue, device_.comm_raw());
  };
  at::Tensor& grads = gradient_slot(unit).buffer;
  if (!shards_state_)
    return "all-reduce: " + path(groups_.world(), [&] { all_reduce(grads, groups_.world()); });
  std::string text = "all-gather: " + path(groups_.gather(), [&] { all_gather(unit); });
  at::Tensor& shard = grad_shards_[static_cast<std::size_t>(unit)];
  const at::Tensor source = reduce_fp32_ ? reduce_scratch_ : grads;
  const at::Tensor target = source.scalar_type() == shard.scalar_type() ? shard : reduce_scratch_;
  text += "; reduce-scatter: " + path(groups_.shard(), [&] {
            groups_.shard().reduce_scatter(source.data_ptr(), target.data_ptr(), shard.numel(),
                                           comm_dtype(source.scalar_type()), RedOp::kSum, device_.comm_raw());
          });
  if (groups_.replicas() != nullptr) {
    text += "; all-reduce between nodes: " +
            path(*groups_.replicas(), [&] { all_reduce(shard, *groups_.replicas()); });
  }
  return text;
}

}  // namespace sxb::engine::train
