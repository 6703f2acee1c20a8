// Which sharding the planner takes, and what it predicts of it.
#include "plan/memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/units.h"

namespace sxb::plan {
namespace {

using config::Sharding;
using testing::HasSubstr;

config::Model llama_7b() {
  config::Model m;
  m.arch = {4096, 11008, 32, 32, 32, 32000, 10000, 1e-5};
  m.training.seq_len = 2048;
  m.training.micro_batch = 8;
  m.training.recompute = {.automatic = false, .norms = true, .swiglu = true};
  return m;
}

Ranks gpus(int nodes, int per_node, std::int64_t bytes) {
  return {nodes * per_node, nodes, per_node, true, bytes};
}

std::int64_t need(config::Model m, Sharding sharding, const Ranks& ranks) {
  m.training.sharding = sharding;
  return estimate_memory(m, ranks).total();
}

/// Memory in which `bytes` fit into what auto fills, barely.
std::int64_t room_for(std::int64_t bytes) {
  return static_cast<std::int64_t>(static_cast<double>(bytes) / kUsableShare) + 2;
}

Sharding chosen(const config::Model& m, const Ranks& ranks) { return resolve_sharding(m, ranks).sharding; }

TEST(Sharding, AutoTakesTheLeastCommunicationThatFits) {
  const config::Model m = llama_7b();
  const Ranks large = gpus(2, 8, 0);
  const std::int64_t gradients = need(m, Sharding::kGradients, large);
  const std::int64_t hybrid = need(m, Sharding::kHybrid, large);
  const std::int64_t full = need(m, Sharding::kFull, large);
  EXPECT_LT(full, hybrid);
  EXPECT_LT(hybrid, gradients);
  EXPECT_EQ(chosen(m, gpus(2, 8, room_for(gradients))), Sharding::kGradients);
  EXPECT_EQ(chosen(m, gpus(2, 8, room_for(gradients) - 4)), Sharding::kHybrid);
  EXPECT_EQ(chosen(m, gpus(2, 8, room_for(hybrid))), Sharding::kHybrid);
  EXPECT_EQ(chosen(m, gpus(2, 8, room_for(hybrid) - 4)), Sharding::kFull);
  EXPECT_EQ(chosen(m, gpus(2, 8, 1)), Sharding::kFull);  // whether it fits is validate()'s question
}

TEST(Sharding, AutoRecomputesNormsAndSwigluBeforeItCommunicatesMore) {
  config::Model m = llama_7b();
  const std::int64_t gradients = need(m, Sharding::kGradients, gpus(1, 8, 0));
  m.training.recompute.automatic = true;
  const config::Model tight = resolve_auto(m, gpus(1, 8, room_for(gradients)));
  EXPECT_EQ(tight.training.sharding, Sharding::kGradients);
  EXPECT_EQ(to_string(tight.training.recompute), "norms,swiglu");
  const config::Model tighter = resolve_auto(m, gpus(1, 8, room_for(gradients) - 4));
  EXPECT_EQ(tighter.training.sharding, Sharding::kFull);
  EXPECT_FALSE(tighter.training.recompute.blocks);
}

TEST(Sharding, AutoSaysWhy) {
  const config::Model m = llama_7b();
  EXPECT_THAT(resolve_sharding(m, gpus(1, 4, 139 * kGiB)).reason,
              HasSubstr("the least communication that fits, 8"));
  EXPECT_THAT(resolve_sharding(m, gpus(1, 4, 40 * kGiB)).reason, HasSubstr("gradients would take"));
  EXPECT_THAT(resolve_sharding(m, gpus(1, 4, 0)).reason, HasSubstr("not known"));
}

TEST(Sharding, AutoWithoutGpusOrTheirMemoryOrOthers) {
  const config::Model m = llama_7b();
  EXPECT_EQ(chosen(m, gpus(1, 1, 139 * kGiB)), Sharding::kNone);
  EXPECT_EQ(chosen(m, gpus(2, 4, 0)), Sharding::kFull);
  EXPECT_EQ(chosen(m, {4, 2, 2, false, 1 * kGiB}), Sharding::kNone);
  // Without hybrid: one node, one rank each, nodes that differ.
  const std::int64_t little = room_for(need(m, Sharding::kHybrid, gpus(2, 8, 0)));
  EXPECT_EQ(chosen(m, gpus(2, 8, little)), Sharding::kHybrid);
  EXPECT_EQ(chosen(m, gpus(1, 8, little)), Sharding::kFull);
  EXPECT_EQ(chosen(m, gpus(16, 1, little)), Sharding::kFull);
  EXPECT_EQ(chosen(m, {15, 2, 0, true, little}), Sharding::kFull);
}

TEST(Sharding, WhatIsSetStands) {
  config::Model m = llama_7b();
  for (const Sharding s : {Sharding::kNone, Sharding::kOptimizer, Sharding::kGradients, Sharding::kFull}) {
    m.training.sharding = s;
    EXPECT_EQ(chosen(m, gpus(2, 4, 139 * kGiB)), s);
    EXPECT_EQ(resolve_sharding(m, gpus(2, 4, 139 * kGiB)).reason, "set");
  }
  m.training.sharding = Sharding::kHybrid;
  EXPECT_EQ(chosen(m, gpus(2, 4, 0)), Sharding::kHybrid);
  EXPECT_EQ(chosen(m, {4, 2, 2, false, 0}), Sharding::kHybrid);
  EXPECT_EQ(chosen(m, gpus(1, 4, 0)), Sharding::kFull);
  EXPECT_EQ(chosen(m, gpus(4, 1, 0)), Sharding::kNone);
}

TEST(Memory, HybridIsFullOfOneNode) {
  const config::Model m = llama_7b();
  EXPECT_EQ(need(m, Sharding::kHybrid, gpus(4, 8, 0)), need(m, Sharding::kFull, gpus(1, 8, 0)));
}

TEST(Memory, EachResidentBlockCostsItsWeights) {
  config::Model m = llama_7b();
  const std::int64_t three = need(m, Sharding::kFull, gpus(1, 4, 0));
  const std::int64_t gradients = need(m, Sharding::kGradients, gpus(1, 4, 0));
  const std::int64_t block = 2 * (4 * 4096 * 4096 + 3 * 4096 * 11008 + 2 * 4096);  // BF16
  m.training.resident_blocks = 5;
  EXPECT_NEAR(static_cast<double>(need(m, Sharding::kFull, gpus(1, 4, 0)) - three),
              2.0 * static_cast<double>(block),
              1e6);  // the final norm is spread over the blocks
  EXPECT_EQ(need(m, Sharding::kGradients, gpus(1, 4, 0)), gradients);
}

TEST(Memory, OffloadLeavesRoomForTheChunksOnly) {
  config::Model m = llama_7b();
  const MemoryEstimate on_device = estimate_memory(m, gpus(1, 1, 0));
  EXPECT_EQ(on_device.optimizer_bytes, 12 * m.arch.parameters());
  m.training.offload = config::Offload::kOptimizer;
  EXPECT_EQ(estimate_memory(m, gpus(1, 1, 0)).optimizer_bytes, 12 * kOffloadChunk * kOffloadRing);
  const Ranks cpu{2, 1, 2, false, 0};
  EXPECT_EQ(estimate_memory(m, cpu).optimizer_bytes, 12 * m.arch.parameters());  // the host's either way
}

TEST(Memory, ACheckpointIsWrittenFromACopyInHostMemory) {
  config::Model m = llama_7b();
  const Ranks one = gpus(1, 1, 0), cpu{2, 1, 2, false, 0};
  const MemoryEstimate off = estimate_memory(m, one), off_cpu = estimate_memory(m, cpu);
  EXPECT_EQ(off.pinned_bytes, 0);
  EXPECT_EQ(off_cpu.checkpoint_bytes, 0);
  m.training.checkpoint.every_minutes = 1;
  EXPECT_EQ(estimate_memory(m, one).total(), off.total()) << "the GPU holds nothing more";
  EXPECT_EQ(estimate_memory(m, one).pinned_bytes, 12 * m.arch.parameters());
  EXPECT_EQ(estimate_memory(m, cpu).total(), off_cpu.total() + 12 * m.arch.parameters());
  m.training.sharding = Sharding::kFull;
  EXPECT_EQ(estimate_memory(m, gpus(1, 8, 0)).pinned_bytes, 12 * m.arch.parameters() / 8);
  EXPECT_EQ(checkpoint_shard_bytes(m, gpus(2, 4, 0)), 12 * m.arch.parameters() / 8);
  m.training.sharding = Sharding::kHybrid;
  EXPECT_EQ(checkpoint_shard_bytes(m, gpus(2, 4, 0)), 12 * m.arch.parameters() / 4);
  m.training.checkpoint = {};
  m.training.checkpoint.every_steps = 5;
  EXPECT_GT(estimate_memory(m, one).pinned_bytes, 0);
}

}  // namespace
}  // namespace sxb::plan
