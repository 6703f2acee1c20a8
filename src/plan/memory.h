// Predicts the peak memory of one training rank before anything starts, so that a run that cannot
// fit is refused with the setting to change instead of dying in step 3.
#pragma once

#include <cstdint>
#include <string>

#include "config/model/model.h"
#include "plan/task.h"

namespace sxb::plan {

struct MemoryEstimate {
  std::int64_t parameters_bytes = 0;  ///< resident and gathered weights
  std::int64_t gradients_bytes = 0;
  std::int64_t optimizer_bytes = 0;    ///< FP32 master, m, v
  std::int64_t activations_bytes = 0;  ///< saved for the backward pass
  std::int64_t workspace_bytes = 0;    ///< logits, temporary buffers, library workspaces
  std::int64_t checkpoint_bytes =
      0;                          ///< on CPU ranks: the copy of the state that a checkpoint is written from
  std::int64_t pinned_bytes = 0;  ///< on GPUs, of the host and not in total(): that copy, offloaded state
  std::int64_t total() const {
    return parameters_bytes + gradients_bytes + optimizer_bytes + activations_bytes + workspace_bytes +
           checkpoint_bytes;
  }
};

/// What sharding and memory depend on besides the model.
struct Ranks {
  int world = 1;
  int nodes = 1;
  int per_node = 1;  ///< ranks of each node; 0 = not all nodes have as many
  bool cuda = false;
  std::int64_t memory_bytes = 0;  ///< that one rank may use; 0 = unknown
};

/// As the head planned them: every rank of a task gets the same answer.
Ranks ranks_of(const RankTask& task);

struct ShardingChoice {
  config::Sharding sharding = config::Sharding::kNone;  ///< never kAuto
  std::string reason;                                   ///< for people: "set", or why it was chosen
};

/// One rank has nothing to share: none. kAuto: none on CPUs; on GPUs the least communication whose
/// estimate fits kUsableShare of the memory, with norms and SwiGLU computed again if recomputation is
/// "auto" too (they cost less than the communication): gradients, else hybrid (several nodes alike),
/// else full; full where the memory is unknown. optimizer and none, which sum micro-steps in BF16,
/// are never chosen. kHybrid on one node is full, with one rank on each node none.
ShardingChoice resolve_sharding(const config::Model& model, const Ranks& ranks);

/// "auto" recomputation resolved: the least work that brings the estimate into kUsableShare of the
/// memory; whole blocks if nothing less does. Where the memory is not known: norms and SwiGLU, which
/// cost little. `model.training.sharding` is taken as it is.
config::Recompute resolve_recompute(const config::Model& model, const Ranks& ranks);

/// The model with both settled: what such ranks really do.
config::Model resolve_auto(const config::Model& model, const Ranks& ranks);

/// Share of the memory that "auto" fills: the driver's context, NCCL's buffers and the allocator's
/// fragments lie outside the estimate.
inline constexpr double kUsableShare = 0.94;

/// Offloaded optimizer state passes through the GPU in chunks of so many parameters, a few at a time.
inline constexpr std::int64_t kOffloadChunk = 8 << 20;
inline constexpr std::int64_t kOffloadRing = 3;

/// Tokens per chunk of the head: the logits of one chunk stay near 256 MiB at a vocabulary of 32,000. The
/// trainer cuts by it.
std::int64_t head_chunk(std::int64_t tokens, std::int64_t vocab);

/// Peak of one rank: device memory, on the CPU host memory. Recomputation "auto" counts as none. Hybrid on
/// nodes that are not alike, which validate() refuses, counts as shared by nobody.
MemoryEstimate estimate_memory(const config::Model& model, const Ranks& ranks);

/// Bytes of a rank's shard of a checkpoint: master weights and both moments in FP32, as the sharding spreads
/// them. Copies that several ranks hold are written by each.
std::int64_t checkpoint_shard_bytes(const config::Model& model, const Ranks& ranks);

/// The smallest change of `model` that fits ranks.memory_bytes, as flags the user can type
/// ("--set training.recompute=norms,swiglu"); empty if no change does. Offload is left to the caller.
std::string smallest_change_that_fits(const config::Model& model, const Ranks& ranks);

}  // namespace sxb::plan
