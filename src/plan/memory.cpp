#include "plan/memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <vector>

#include "base/text.h"
#include "base/units.h"

namespace sxb::plan {
namespace {

using config::Model;
using config::Recompute;
using config::Sharding;

std::int64_t usable_bytes(const Ranks& ranks) {
  return static_cast<std::int64_t>(kUsableShare * static_cast<double>(ranks.memory_bytes));
}

/// Ways to recompute, cheapest first. norms costs one more write of its outputs, swiglu one more of a
/// wider product, blocks the whole forward pass again.
constexpr Recompute kRecomputes[] = {{.automatic = false},
                                     {.automatic = false, .norms = true},
                                     {.automatic = false, .norms = true, .swiglu = true},
                                     {.automatic = false, .blocks = true}};

bool is_bf16(const Model& model, bool cuda) {
  if (model.training.precision == config::Precision::kAuto) return cuda;
  return model.training.precision == config::Precision::kBf16;
}

/// More than any machine has, and so little that the sum of an estimate stays below 2^63.
constexpr std::int64_t kBeyondMemory = std::int64_t{1} << 61;

std::int64_t saturating_product(std::initializer_list<std::int64_t> factors) {
  std::int64_t product = 1;
  for (const std::int64_t factor : factors) {
    if (__builtin_mul_overflow(product, factor, &product) || product > kBeyondMemory) return kBeyondMemory;
  }
  return product;
}

/// Ranks that share a copy of the optimizer's state.
std::int64_t state_sharers(Sharding sharding, const Ranks& ranks) {
  if (sharding == Sharding::kNone) return 1;
  return std::max(1, sharding == Sharding::kHybrid ? ranks.per_node : ranks.world);
}

/// Kept for the backward pass of the micro-batch; the buffers of what is recomputed are workspace.
std::int64_t activation_bytes(const Model& model, std::int64_t element) {
  const config::Architecture& a = model.arch;
  const Recompute& recompute = model.training.recompute;
  const std::int64_t qkv = a.hidden + 2 * a.kv_heads * a.head_dim();
  // Per token: x, x_mid and the attention output, q|k|v, gate|up; two rstd and one lse per head in float.
  std::int64_t elements = 3 * a.hidden + qkv + 2 * a.ffn;
  if (!recompute.norms) elements += 2 * a.hidden;
  if (!recompute.swiglu) elements += a.ffn;
  const std::int64_t block = elements * element + 4 * (2 + a.heads);
  const std::int64_t tokens = model.training.micro_batch * model.training.seq_len;
  const std::int64_t token = recompute.blocks ? block + a.hidden * element * a.layers : block * a.layers;
  return saturating_product({tokens, token});
}

/// kAuto on several GPUs.
ShardingChoice choose_sharding(const Model& model, const Ranks& ranks) {
  if (ranks.memory_bytes == 0) return {Sharding::kFull, "auto: the GPUs' memory is not known"};
  std::vector<Sharding> candidates = {Sharding::kGradients};
  if (ranks.nodes > 1 && ranks.per_node > 1) candidates.push_back(Sharding::kHybrid);
  std::string passed;
  for (const Sharding sharding : candidates) {
    Model candidate = model;
    candidate.training.sharding = sharding;
    candidate.training.recompute = resolve_recompute(candidate, ranks);
    // Whole blocks again cost more than any communication saves.
    if (model.training.recompute.automatic && candidate.training.recompute.blocks) {
      candidate.training.recompute = kRecomputes[2];
    }
    const std::int64_t need = estimate_memory(candidate, ranks).total();
    const std::string sizes = fmt::format("{} of {}", format_bytes(need), format_bytes(ranks.memory_bytes));
    if (need <= usable_bytes(ranks)) {
      return {sharding, fmt::format("auto: {}the least communication that fits, {}", passed, sizes)};
    }
    passed += fmt::format("{} would take {}; ", to_string(sharding), sizes);
  }
  passed.resize(passed.size() - 2);
  return {Sharding::kFull, "auto: " + passed};
}

}  // namespace

Ranks ranks_of(const RankTask& task) {
  return {task.world, task.task.nodes, task.ranks_per_node, task.cuda, task.memory_bytes};
}

std::int64_t head_chunk(std::int64_t tokens, std::int64_t vocab) {
  constexpr std::int64_t kElements = 4096LL * 32000;
  const std::int64_t chunk = std::max<std::int64_t>(kElements / vocab / 256 * 256, 256);
  return std::min(chunk, tokens);
}

ShardingChoice resolve_sharding(const Model& model, const Ranks& ranks) {
  const Sharding wanted = model.training.sharding;
  if (ranks.world == 1) return {Sharding::kNone, "one rank has nothing to share"};
  if (wanted == Sharding::kHybrid && ranks.nodes == 1) {
    return {Sharding::kFull, "hybrid on one node is full"};
  }
  if (wanted == Sharding::kHybrid && ranks.per_node == 1) {
    return {Sharding::kNone, "hybrid with one rank on each node shares nothing"};
  }
  if (wanted != Sharding::kAuto) return {wanted, "set"};
  if (!ranks.cuda) return {Sharding::kNone, "auto: CPU ranks"};
  return choose_sharding(model, ranks);
}

Recompute resolve_recompute(const Model& model, const Ranks& ranks) {
  if (!model.training.recompute.automatic) return model.training.recompute;
  if (ranks.memory_bytes == 0) return kRecomputes[2];
  Model candidate = model;
  for (const Recompute& recompute : kRecomputes) {
    candidate.training.recompute = recompute;
    if (estimate_memory(candidate, ranks).total() <= usable_bytes(ranks)) break;
  }
  return candidate.training.recompute;
}

Model resolve_auto(const Model& model, const Ranks& ranks) {
  Model resolved = model;
  resolved.training.sharding = resolve_sharding(model, ranks).sharding;
  resolved.training.recompute = resolve_recompute(resolved, ranks);
  return resolved;
}

MemoryEstimate estimate_memory(const Model& model, const Ranks& ranks) {
  const config::Architecture& a = model.arch;
  const config::Training& t = model.training;
  const Sharding sharding = resolve_sharding(model, ranks).sharding;
  const std::int64_t element = is_bf16(model, ranks.cuda) ? 2 : 4;
  const std::int64_t all = a.parameters();
  const std::int64_t outer = 2 * a.vocab * a.hidden;  // embedding and head keep buffers of their own
  const std::int64_t block = a.layers > 0 ? (all - outer) / a.layers : 0;
  const std::int64_t sharers = state_sharers(sharding, ranks);
  const bool shards_weights = sharding == Sharding::kFull || sharding == Sharding::kHybrid;
  const bool shards_gradients = sharding == Sharding::kGradients || shards_weights;
  const bool reduce_fp32 = element == 2 && t.reduce_precision == config::Precision::kFp32;
  const bool fp32_shard = reduce_fp32 || (shards_gradients && t.grad_accumulation > 1);

  MemoryEstimate m;
  m.parameters_bytes = all * element;
  if (shards_weights) {
    m.parameters_bytes = (all / sharers + outer + std::min(t.resident_blocks, a.layers) * block) * element;
  }
  m.gradients_bytes =
      (shards_gradients ? outer + std::min<std::int64_t>(2, a.layers) * block : all) * element;
  if (sharding != Sharding::kNone) m.gradients_bytes += all / sharers * (fp32_shard ? 4 : element);
  if (reduce_fp32) {
    m.gradients_bytes += 4 * std::max(block, outer / 2);
  } else if (fp32_shard) {
    m.gradients_bytes += element * std::max(block, outer / 2) / sharers;
  }
  m.optimizer_bytes = 12 * all / sharers;
  if (ranks.cuda && t.offload == config::Offload::kOptimizer) {
    m.pinned_bytes += m.optimizer_bytes;
    m.optimizer_bytes = 12 * kOffloadChunk * kOffloadRing;
  }
  if (t.checkpoint.on()) {
    (ranks.cuda ? m.pinned_bytes : m.checkpoint_bytes) += checkpoint_shard_bytes(model, ranks);
  }

  const std::int64_t tokens = t.micro_batch * t.seq_len;
  const std::int64_t qkv = a.hidden + 2 * a.kv_heads * a.head_dim();
  m.activations_bytes = activation_bytes(model, element);

  const std::int64_t logits = head_chunk(tokens, a.vocab) * a.vocab;
  // Scratch of the trainer, attention's dq, dk, dv, the logits of a chunk, the embedding's gradient.
  m.workspace_bytes = saturating_product({tokens, 6 * a.hidden + a.ffn + 2 * qkv, element}) +
                      logits * element + a.vocab * a.hidden * element;
  return m;
}

std::int64_t checkpoint_shard_bytes(const Model& model, const Ranks& ranks) {
  return 12 * model.arch.parameters() / state_sharers(resolve_sharding(model, ranks).sharding, ranks);
}

std::string smallest_change_that_fits(const Model& model, const Ranks& ranks) {
  const config::Training& given = model.training;
  std::vector<Sharding> shardings = {given.sharding};
  if (ranks.world > 1 && resolve_sharding(model, ranks).sharding != Sharding::kFull)
    shardings.push_back(Sharding::kFull);

  std::vector<std::string> flags;
  Model changed = model;
  const auto fits = [&] {
    flags.clear();
    const config::Training& t = changed.training;
    if (t.sharding != given.sharding) flags.push_back("--set training.sharding=" + to_string(t.sharding));
    if (to_string(t.recompute) != to_string(given.recompute)) {
      flags.push_back("--set training.recompute=" + to_string(t.recompute));
    }
    if (t.micro_batch != given.micro_batch) {
      flags.push_back("--set training.micro_batch=" + std::to_string(t.micro_batch));
    }
    return estimate_memory(resolve_auto(changed, ranks), ranks).total() <= ranks.memory_bytes;
  };
  // Mildest first: norms and SwiGLU again cost under a hundredth of a step, full sharding a little
  // more, smaller micro-batches some efficiency, whole blocks again a quarter to a third.
  for (const bool blocks : {false, true}) {
    for (std::int64_t batch = given.micro_batch; batch >= 1; batch /= 2) {
      changed.training.micro_batch = batch;
      for (const Sharding sharding : shardings) {
        changed.training.sharding = sharding;
        changed.training.recompute = given.recompute;
        if (fits()) return join(flags, " ");
        for (const Recompute& recompute : kRecomputes) {
          if (recompute.blocks != blocks) continue;
          changed.training.recompute = recompute;
          if (fits()) return join(flags, " ");
        }
      }
    }
  }
  return "";
}

}  // namespace sxb::plan
