#include "sxbench/plan/memory.h"

#include <algorithm>

namespace sxb::plan {
namespace {

using config::Model;
using config::Recompute;
using config::Sharding;

bool is_bf16(const Model& model, bool cuda) {
  if (model.training.precision == config::Precision::kAuto) return cuda;
  return model.training.precision == config::Precision::kBf16;
}

}  // namespace

Sharding resolve_sharding(const Model& model, int world, bool cuda) {
  if (world == 1) return Sharding::kNone;
  if (model.training.sharding != Sharding::kAuto) return model.training.sharding;
  return cuda ? Sharding::kFull : Sharding::kNone;
}

MemoryEstimate estimate_memory(const Model& model, int world, bool cuda) {
  const config::Architecture& a = model.arch;
  const config::Training& t = model.training;
  const Sharding sharding = resolve_sharding(model, world, cuda);
  const std::int64_t element = is_bf16(model, cuda) ? 2 : 4;
  const std::int64_t all = a.parameters();
  const std::int64_t outer = 2 * a.vocab * a.hidden;  // embedding and head keep buffers of their own
  const std::int64_t block = a.layers > 0 ? (all - outer) / a.layers : 0;
  const std::int64_t ranks = sharding == Sharding::kNone ? 1 : world;
  const bool shards_gradients = sharding == Sharding::kGradients || sharding == Sharding::kFull;
  const bool reduce_fp32 = element == 2 && t.reduce_precision == config::Precision::kFp32;
  const bool fp32_shard = reduce_fp32 || (shards_gradients && t.grad_accumulation > 1);

  MemoryEstimate m;
  m.parameters_bytes = all * element;
  if (sharding == Sharding::kFull) {
    m.parameters_bytes = (all / world + outer + std::min<std::int64_t>(3, a.layers) * block) * element;
  }
  m.gradients_bytes = (shards_gradients ? outer + std::min<std::int64_t>(2, a.layers) * block : all) * element;
  if (sharding != Sharding::kNone) m.gradients_bytes += all / world * (fp32_shard ? 4 : element);
  if (reduce_fp32) {
    m.gradients_bytes += 4 * std::max(block, outer / 2);
  } else if (fp32_shard) {
    m.gradients_bytes += element * std::max(block, outer / 2) / world;
  }
  m.optimizer_bytes = 12 * all / ranks;

  const std::int64_t tokens = t.micro_batch * t.seq_len;
  const std::int64_t qkv = a.hidden + 2 * a.kv_heads * a.head_dim();
  // Per token: x, x_mid and the attention output, q|k|v, gate|up; two rstd and one lse per head in float.
  const std::int64_t saved = (3 * a.hidden + qkv + 2 * a.ffn) * element + 4 * (2 + a.heads);
  m.activations_bytes = tokens * saved * a.layers;
  if (t.recompute == Recompute::kBlock) m.activations_bytes = tokens * (saved + a.hidden * element * a.layers);

  const std::int64_t logits = std::min<std::int64_t>(tokens, std::max<std::int64_t>(4096LL * 32000 / a.vocab, 256)) * a.vocab;
  // Scratch of the trainer, attention's dq, dk, dv, the logits of a chunk, the embedding's gradient.
  m.workspace_bytes = tokens * (8 * a.hidden + a.ffn + 2 * qkv) * element + logits * element + a.vocab * a.hidden * element;
  return m;
}

std::string smallest_change_that_fits(const Model& model, int world, bool cuda, std::int64_t available_bytes) {
  struct Change {
    std::string flags;
    Model model;
  };
  // Mildest first: sharding costs communication, smaller micro-batches some efficiency, recompute a
  // third of the arithmetic.
  std::vector<Change> starts = {{"", model}};
  if (world > 1 && resolve_sharding(model, world, cuda) != Sharding::kFull) {
    Change sharded = starts.front();
    sharded.model.training.sharding = Sharding::kFull;
    sharded.flags = "--set training.sharding=full";
    starts.push_back(sharded);
  }
  const auto fits = [&](const Model& m) { return estimate_memory(m, world, cuda).total() <= available_bytes; };
  for (const bool recompute : {false, true}) {
    for (const Change& start : starts) {
      Change change = start;
      if (recompute) {
        if (change.model.training.recompute == Recompute::kBlock) continue;
        change.model.training.recompute = Recompute::kBlock;
        change.flags += (change.flags.empty() ? "" : " ") + std::string("--set training.recompute=block");
      }
      if (fits(change.model)) return change.flags;
      for (std::int64_t batch = model.training.micro_batch / 2; batch >= 1; batch /= 2) {
        change.model.training.micro_batch = batch;
        if (!fits(change.model)) continue;
        return change.flags + (change.flags.empty() ? "" : " ") + "--set training.micro_batch=" + std::to_string(batch);
      }
    }
  }
  return "";
}

}  // namespace sxb::plan
