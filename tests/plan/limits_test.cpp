// Sizes that nothing runs: judged before the start, without an overflow or a division by zero.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/units.h"
#include "plan/memory.h"
#include "plan/validate.h"

namespace sxb::plan {
namespace {

using testing::HasSubstr;

/// The largest values that model files take.
config::Model largest() {
  config::Model m;
  m.name = "largest";
  m.source = "largest.json";
  m.arch = {1 << 20, 1 << 20, 10000, 65536, 65536, 1 << 24, 10000, 1e-5};
  m.training.seq_len = 1 << 20;
  m.training.micro_batch = 65536;
  m.training.grad_accumulation = 65536;
  m.training.steps = 1'000'000'000;
  return m;
}

config::Cluster nodes_with(std::vector<int> gpus) {
  config::Cluster c;
  c.name = "c";
  c.source = "c.json";
  c.transport = config::TransportKind::kSsh;
  for (const int count : gpus) {
    config::Node& node = c.nodes.emplace_back();
    node.name = node.host = fmt::format("n{}", c.nodes.size());
    node.gpus.resize(static_cast<std::size_t>(count));
    node.slots = count;
  }
  return c;
}

constexpr config::Sharding kAllShardings[] = {config::Sharding::kAuto,      config::Sharding::kNone,
                                              config::Sharding::kOptimizer, config::Sharding::kGradients,
                                              config::Sharding::kFull,      config::Sharding::kHybrid};

TEST(Limits, AnEstimateOfTheLargestModelIsLargeAndNoOverflow) {
  for (const config::Sharding sharding : kAllShardings) {
    for (const bool blocks : {false, true}) {
      config::Model m = largest();
      m.training.sharding = sharding;
      m.training.recompute = {.automatic = false, .blocks = blocks};
      for (const Ranks& ranks : {Ranks{1, 1, 1, false, 0}, Ranks{8, 2, 4, true, 0}, Ranks{3, 2, 0, true, 0},
                                 Ranks{0, 1, 0, true, 0}}) {
        const MemoryEstimate estimate = estimate_memory(m, ranks);
        EXPECT_GT(estimate.activations_bytes, std::int64_t{1} << 50);
        EXPECT_GT(estimate.total(), estimate.activations_bytes);
      }
    }
  }
}

TEST(Limits, UnevenNodesAreJudgedOnEveryCount) {
  const config::Cluster c = nodes_with({4, 2, 1, 4});
  for (const config::Sharding sharding : kAllShardings) {
    for (const std::int64_t gib : {0, 1, 139}) {
      PlanInput in;
      in.cluster = c;
      in.models = {largest()};
      in.models[0].arch = {16384, 16384, 10000, 64, 64, 1 << 24, 10000, 1e-5};  // what GPU kernels take
      in.models[0].training.sharding = sharding;
      in.models[0].training.grad_accumulation = in.models[0].training.micro_batch = 1;
      in.node_counts = {1, 2, 3, 4};
      in.phases = {Phase::kSft};
      const bool unknown = gib == 0 && sharding != config::Sharding::kHybrid;
      EXPECT_EQ(validate(in, DeviceFacts{true, 0, 1, gib * kGiB}).ok(), unknown);
      EXPECT_EQ(validate(in, DeviceFacts{false, 0, 1, gib * kGiB}).ok(), unknown);
    }
  }
}

TEST(Limits, AStepIsCountable) {
  PlanInput in;
  in.cluster = nodes_with({8});
  in.models = {largest()};
  in.models[0].arch = {64, 176, 2, 4, 2, 1024, 10000, 1e-5};
  in.node_counts = {1};
  in.phases = {Phase::kSft};
  const Status status = validate(in, DeviceFacts{true, 0, 1, 0});
  ASSERT_EQ(status.errors().size(), 1u) << format_errors(status.errors());
  EXPECT_EQ(status.error().where, "largest.json:/training/grad_accumulation");
  in.models[0].training.grad_accumulation = 1;
  in.models[0].training.micro_batch = 1;
  EXPECT_TRUE(validate(in, DeviceFacts{true, 0, 1, 0}).ok());
}

TEST(Limits, RanksOfAllNodes) {
  PlanInput in;
  in.cluster = nodes_with(std::vector<int>(300, 4096));
  in.node_counts = {1};
  in.phases = {Phase::kCheck};
  const Status status = validate(in, DeviceFacts{false, 0, 1, 0});
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().what, HasSubstr("1228800 ranks on all nodes"));
}

TEST(Limits, ASweepHasSoManySizesThatTheyCanBeRead) {
  CollectiveSweep sweep;
  sweep.min_bytes = 8;
  sweep.max_bytes = 8 + 65536 * std::int64_t{8};
  sweep.step_bytes = 8;
  const Status status = validate_sweep(sweep);
  ASSERT_EQ(status.errors().size(), 1u) << format_errors(status.errors());
  EXPECT_EQ(status.error().where, "-i");
  sweep.max_bytes -= 8;
  EXPECT_TRUE(validate_sweep(sweep).ok());
}

/// What is taken here is taken by the nodes: each bound of a sweep, from below and from above.
TEST(Limits, TheHeadIsNoLaxerThanTheNodes) {
  const std::int64_t kValues[] = {
      -2, -1, 0, 1, 2, 3, 4, 1'000'000, 1'000'001, 1 << 20, (1 << 20) + 1, 2'147'483'647};
  int CollectiveSweep::*const kInts[] = {
      &CollectiveSweep::iterations,    &CollectiveSweep::warmup,
      &CollectiveSweep::check,         &CollectiveSweep::agg_iterations,
      &CollectiveSweep::root,          &CollectiveSweep::blocking,
      &CollectiveSweep::registration,  &CollectiveSweep::cta_policy,
      &CollectiveSweep::average,       &CollectiveSweep::timeout_s,
      &CollectiveSweep::unalign,       &CollectiveSweep::graph_launches,
      &CollectiveSweep::per_iteration, &CollectiveSweep::per_iteration_skip};
  for (const auto member : kInts) {
    for (const std::int64_t value : kValues) {
      CollectiveSweep sweep;
      sweep.*member = static_cast<int>(value);
      if (!validate_sweep(sweep).ok()) continue;
      const auto read = parse_sweep(to_json(sweep), "task");
      EXPECT_TRUE(read.ok()) << format_errors(read.errors());
    }
  }
  for (const std::int64_t bytes :
       {std::int64_t{1} << 46, (std::int64_t{1} << 46) + 8, std::int64_t{1} << 62}) {
    for (auto member :
         {&CollectiveSweep::max_bytes, &CollectiveSweep::step_bytes, &CollectiveSweep::step_factor}) {
      CollectiveSweep sweep;
      sweep.min_bytes = 8;
      sweep.max_bytes = std::int64_t{1} << 46;
      sweep.*member = bytes;
      if (validate_sweep(sweep).ok()) {
        EXPECT_TRUE(parse_sweep(to_json(sweep), "task").ok()) << bytes;
      }
    }
  }
}

TEST(Validate, TooManyNodesProposesWhatFits) {
  PlanInput in;
  in.cluster = nodes_with({1});
  in.models = {largest()};
  in.models[0].training.micro_batch = in.models[0].training.grad_accumulation = 1;
  in.node_counts = {1, 2};
  in.phases = {Phase::kSft};
  const Status status = validate(in, DeviceFacts{false, 0, 1, 8 * kGiB});
  std::vector<std::string> what;
  for (const Error& error : status.errors()) what.push_back(error.what);
  ASSERT_EQ(what.size(), 2u) << "node count and memory at once";
  EXPECT_THAT(what[0], HasSubstr("2 nodes are asked for"));
  EXPECT_THAT(what[1], HasSubstr("does not fit on 1 node"));
  EXPECT_THAT(status.errors()[0].help, testing::Not(HasSubstr("run on what it has")));
}

}  // namespace
}  // namespace sxb::plan
