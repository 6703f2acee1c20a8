#include "plan/validate.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/units.h"
#include "plan/memory.h"

namespace sxb::plan {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

config::Model model(const std::string& name, const config::Architecture& arch) {
  config::Model m;
  m.name = name;
  m.source = name + ".json";
  m.arch = arch;
  m.training.seq_len = 2048;
  m.training.micro_batch = 8;
  m.training.steps = 30;
  m.data.dataset = "cluster-ops";
  return m;
}
config::Model tiny() { return model("tiny", {64, 176, 2, 4, 2, 1024, 10000, 1e-5}); }
config::Model llama_7b() { return model("7b", {4096, 11008, 32, 32, 32, 32000, 10000, 1e-5}); }

config::Cluster cluster(int nodes, config::TransportKind transport = config::TransportKind::kSsh) {
  config::Cluster c;
  c.name = "mine";
  c.source = "mine.json";
  c.transport = transport;
  for (int i = 1; i <= nodes; ++i) {
    config::Node node;
    node.name = fmt::format("n{}", i);
    node.host = transport == config::TransportKind::kLocal ? "localhost" : node.name;
    c.nodes.push_back(node);
  }
  return c;
}

PlanInput input(const config::Cluster& c, const config::Model& m, std::vector<int> counts) {
  PlanInput in;
  in.cluster = c;
  in.models = {m};
  in.node_counts = std::move(counts);
  in.phases = {Phase::kNccl, Phase::kSft};
  return in;
}

DeviceFacts gpus(int per_node, double gib) {
  return {true, per_node, 1, static_cast<std::int64_t>(gib * static_cast<double>(kGiB))};
}
DeviceFacts cpu(int slots, double gib) {
  return {false, 0, slots, static_cast<std::int64_t>(gib * static_cast<double>(kGiB))};
}

TEST(RanksOn, AsksTheNodeThenTheClusterThenTheMachine) {
  config::Cluster c = cluster(1);
  EXPECT_EQ(ranks_on(c, c.nodes[0], gpus(4, 1)), 4);
  c.gpu.per_node = 8;
  EXPECT_EQ(ranks_on(c, c.nodes[0], gpus(4, 1)), 8);
  c.nodes[0].gpus = {2, 3};
  EXPECT_EQ(ranks_on(c, c.nodes[0], gpus(4, 1)), 2);
  EXPECT_EQ(ranks_on(c, c.nodes[0], cpu(2, 1)), 2);
  c.nodes[0].slots = 5;
  EXPECT_EQ(ranks_on(c, c.nodes[0], cpu(2, 1)), 5);
}

TEST(MemoryPerRank, SharesTheRamOfAMachine) {
  EXPECT_EQ(memory_per_rank(cluster(4, config::TransportKind::kLocal), 4, cpu(2, 16)), 2 * kGiB);
  EXPECT_EQ(memory_per_rank(cluster(4, config::TransportKind::kLocal), 1, cpu(2, 16)), 8 * kGiB);
  EXPECT_EQ(memory_per_rank(cluster(4), 4, cpu(2, 16)), 8 * kGiB);
  EXPECT_EQ(memory_per_rank(cluster(4), 4, gpus(8, 141)), 141 * kGiB);
  config::Cluster c = cluster(1);
  c.gpu.memory_gib = 80;
  EXPECT_EQ(memory_per_rank(c, 1, gpus(8, 0)), 80 * kGiB);
}

TEST(Validate, AcceptsWhatRuns) {
  EXPECT_TRUE(validate(input(cluster(1), tiny(), {1}), cpu(2, 8)).ok());
  EXPECT_TRUE(validate(input(cluster(8), llama_7b(), {2, 4, 8}), gpus(8, 139)).ok());
  EXPECT_TRUE(validate(input(cluster(1), llama_7b(), {1}), gpus(1, 0)).ok());  // unknown memory: not judged
}

TEST(Validate, TooManyNodesNamesTheCommandThatWorks) {
  config::Cluster c = cluster(1, config::TransportKind::kLocal);
  c.name = "local";
  c.source = "builtin";
  const Status status = validate(input(c, tiny(), {2, 4, 8}), cpu(2, 8));
  ASSERT_EQ(status.errors().size(), 1u);
  EXPECT_EQ(status.error().what, "8 nodes are asked for, the cluster \"local\" has 1");
  EXPECT_EQ(status.error().where, "--nodes 8");
  EXPECT_EQ(status.error().code, ExitCode::kUsage);
  EXPECT_EQ(
      status.error().help,
      "run on what it has: sxbench run --models tiny --nodes 1; or try it out on 8 pretended nodes of this "
      "machine: sxbench run --models tiny --nodes 2,4,8 --cluster local-8");
}

TEST(Validate, TooManyNodesKeepsTheCountsThatThereAre) {
  const Error error = validate(input(cluster(4), llama_7b(), {2, 4, 8}), gpus(8, 139)).error();
  EXPECT_THAT(error.help, HasSubstr("sxbench run --models 7b --nodes 2,4 --cluster mine.json;"));
  EXPECT_THAT(error.help, testing::Not(HasSubstr("local-8")));
  PlanInput sweep = input(cluster(4), llama_7b(), {8});
  sweep.phases = {Phase::kNccl};
  EXPECT_THAT(validate(sweep, gpus(8, 139)).error().help,
              HasSubstr("sxbench nccl --nodes 4 --cluster mine.json"));
}

TEST(Validate, ModelThatCannotFitNamesTheSmallestChange) {
  config::Model m = llama_7b();
  m.training.recompute.automatic = false;
  const PlanInput in = input(cluster(1), m, {1});
  const auto need = estimate_memory(in.models[0], {4, 1, 4, true, 0}).total();
  const DeviceFacts facts{true, 4, 1, need - 1};
  const Status status = validate(in, facts);
  ASSERT_EQ(status.errors().size(), 1u);
  EXPECT_EQ(status.error().code, ExitCode::kUsage);
  EXPECT_EQ(status.error().where, "7b.json");
  EXPECT_THAT(status.error().what, HasSubstr("model 7b does not fit on 1 node: a rank (of 4) needs"));
  const std::string change = smallest_change_that_fits(in.models[0], {4, 1, 4, true, need - 1});
  EXPECT_EQ(change, "--set training.recompute=norms");
  EXPECT_EQ(status.error().help,
            "this would work: sxbench run --models 7b --nodes 1 --cluster mine.json " + change);
}

TEST(Validate, ModelThatCannotFitNamesMoreNodesOrASmallerModel) {
  // One 40 GiB GPU a node: no setting brings 7B's 16 bytes per parameter onto one, but four nodes do.
  config::Model m = llama_7b();
  m.training.micro_batch = 1;
  m.training.recompute = {false, false, false, true};
  EXPECT_THAT(
      validate(input(cluster(8), m, {1}), gpus(1, 40)).error().help,
      testing::MatchesRegex("this would work: sxbench run --models 7b --nodes [2-8] --cluster mine.json"));
  EXPECT_THAT(validate(input(cluster(1), m, {1}), cpu(2, 8)).error().help,
              HasSubstr("sxbench run --models tiny --nodes 1"));
}

TEST(Validate, ModelThatCannotFitNamesOffloadBeforeASmallerModel) {
  config::Model m = llama_7b();
  m.training.micro_batch = 1;
  // 16 bytes a parameter do not fit, 4 do; with two such nodes it needs no offload.
  EXPECT_THAT(validate(input(cluster(1), m, {1}), gpus(1, 80)).error().help,
              testing::EndsWith("--nodes 1 --cluster mine.json --set training.offload=optimizer"));
  EXPECT_THAT(validate(input(cluster(2), m, {1}), gpus(1, 80)).error().help,
              testing::EndsWith("--nodes 2 --cluster mine.json"));
  m.training.offload = config::Offload::kOptimizer;
  EXPECT_TRUE(validate(input(cluster(1), m, {1}), gpus(1, 80)).ok());
}

TEST(Validate, OneReportPerModelKeepsTheNodeCounts) {
  config::Model m = llama_7b();
  m.training.recompute.automatic = false;
  const PlanInput in = input(cluster(4), m, {4, 1, 2});
  const auto need = estimate_memory(in.models[0], {1, 1, 1, true, 0}).total();
  const Status status = validate(in, {true, 1, 1, need - 1});
  ASSERT_EQ(status.errors().size(), 1u);
  EXPECT_THAT(status.error().what, HasSubstr("on 1 node: a rank (of 1)"));
  EXPECT_THAT(status.error().help, HasSubstr("--nodes 4,1,2 --cluster mine.json --set "));
  // Without a setting that helps, the counts that fit are left.
  EXPECT_THAT(validate(input(cluster(8), llama_7b(), {1, 8}), gpus(1, 90)).error().help,
              testing::EndsWith("sxbench run --models 7b --nodes 8 --cluster mine.json"));
}

std::int64_t need(const config::Model& m, int world) {
  return estimate_memory(m, {world, 1, world, true, 0}).total();
}

TEST(Memory, CountsWhatEachKindOfRecomputationSaves) {
  config::Model m = llama_7b();
  m.training.recompute = {false, false, false, false};
  const std::int64_t all = need(m, 4);
  const std::int64_t tokens = 8 * 2048;
  m.training.recompute.norms = true;
  EXPECT_EQ(all - need(m, 4), tokens * 2 * 4096 * 2 * 32);  // two outputs a layer in BF16
  m.training.recompute.norms = false;
  m.training.recompute.swiglu = true;
  EXPECT_EQ(all - need(m, 4), tokens * 11008 * 2 * 32);
  m.training.recompute = {false, false, false, true};  // one block's, and the inputs of all
  EXPECT_GT(all - need(m, 4), tokens * (4 * 4096 + 3 * 11008) * 2 * 31);
}

TEST(Memory, AutoRecomputesAsLittleAsFits) {
  config::Model m = llama_7b();
  m.training.sharding = config::Sharding::kFull;
  const auto chosen = [&](std::int64_t available) {
    return to_string(resolve_recompute(m, {4, 1, 4, true, available}));
  };
  std::string last = "none";
  std::vector<std::string> seen = {last};
  for (std::int64_t gib = 200; gib >= 10; --gib) {
    const std::string now = chosen(gib * kGiB);
    if (now != last) seen.push_back(now);
    last = now;
    const config::Model resolved = resolve_auto(m, {4, 1, 4, true, gib * kGiB});
    EXPECT_EQ(to_string(resolved.training.recompute), now);
    EXPECT_EQ(resolved.training.sharding, config::Sharding::kFull);
    EXPECT_TRUE(now == "blocks" || need(resolved, 4) < gib * kGiB) << now;
  }
  EXPECT_THAT(seen, ElementsAre("none", "norms", "norms,swiglu", "blocks"));
  EXPECT_EQ(chosen(0), "norms,swiglu");  // the memory is not known
  m.training.recompute = {false, false, true, false};
  EXPECT_EQ(chosen(200 * kGiB), "swiglu");  // what is set stands
}

TEST(Memory, TheSmallestChangeWalksFromCheapToDear) {
  config::Model m = llama_7b();
  m.training.recompute.automatic = false;
  m.training.sharding = config::Sharding::kGradients;
  std::vector<std::string> seen;
  for (std::int64_t gib = need(m, 4) / kGiB; gib > 0; --gib) {
    const std::string change = smallest_change_that_fits(m, {4, 1, 4, true, gib * kGiB});
    if (seen.empty() || change != seen.back()) seen.push_back(change);
  }
  const std::string full = "--set training.sharding=full ";
  const std::string both = "--set training.recompute=norms,swiglu";
  ASSERT_GE(seen.size(), 6u);
  EXPECT_EQ(seen[0], "--set training.recompute=norms");
  EXPECT_EQ(seen[1], both);
  EXPECT_THAT(seen, testing::Contains(full + both));
  EXPECT_THAT(seen, testing::Contains(full + both + " --set training.micro_batch=1"));
  EXPECT_EQ(seen[seen.size() - 2], full + "--set training.recompute=blocks --set training.micro_batch=1");
  EXPECT_EQ(seen.back(), "");  // nothing helps
}

TEST(Validate, HybridNeedsNodesAlike) {
  config::Cluster c = cluster(3);
  c.nodes[0].gpus = {0, 1, 2, 3};
  c.nodes[1].gpus = {0, 1, 2, 3};
  c.nodes[2].gpus = {0, 1};
  config::Model m = tiny();
  EXPECT_TRUE(validate(input(c, m, {2, 3}), gpus(4, 139)).ok());
  m.training.sharding = config::Sharding::kHybrid;
  EXPECT_TRUE(validate(input(c, m, {1, 2}), gpus(4, 139)).ok());
  const Error error = validate(input(c, m, {2, 3}), gpus(4, 139)).error();
  EXPECT_EQ(error.where, "tiny.json:/training/sharding");
  EXPECT_THAT(error.what, HasSubstr("the first 3 nodes of the cluster \"mine\" differ"));
  EXPECT_THAT(error.help, HasSubstr("training.sharding=full"));
  EXPECT_EQ(ranks_of(c, 3, gpus(4, 139)).per_node, 0);
  EXPECT_EQ(ranks_of(c, 2, gpus(4, 139)).per_node, 4);
}

TEST(Validate, GpusThatAreMissing) {
  config::Cluster c = cluster(1);
  c.device = config::DeviceKind::kCuda;
  const Error error = validate(input(c, tiny(), {1}), cpu(2, 8)).error();
  EXPECT_EQ(error.code, ExitCode::kEnvironment);
  EXPECT_EQ(error.where, "mine.json:/device");
  EXPECT_THAT(validate(input(c, tiny(), {1}), gpus(0, 8)).error().help, HasSubstr("per_node"));
}

TEST(Validate, CollectsIndependentErrors) {
  PlanInput in = input(cluster(2), tiny(), {3});
  in.models[0].training.precision = config::Precision::kBf16;
  in.sweeps[0].min_bytes = 1024;
  in.sweeps[0].max_bytes = 8;
  in.sweeps[0].step_factor = 1;
  in.sweeps[0].dtype = "flaot";
  in.sweeps[0].redop = "median";
  in.sweeps[0].collective = "all_reduc";
  in.repeats = 0;
  std::vector<std::string> where;
  const Status status = validate(in, cpu(2, 8));
  for (const Error& error : status.errors()) where.push_back(error.where);
  EXPECT_THAT(where, ElementsAre("--nodes 3", "--collectives", "-d", "-o", "-e", "-f", "--repeats",
                                 "tiny.json:/training/precision"));
  EXPECT_EQ(status.errors()[2].help, "did you mean \"float\"?");
}

Errors shape_errors(const config::Architecture& arch, const DeviceFacts& facts) {
  return validate(input(cluster(1), model("odd", arch), {1}), facts).errors();
}

std::vector<std::string> where_of(const Errors& errors) {
  std::vector<std::string> where;
  for (const Error& error : errors) where.push_back(error.where);
  return where;
}

TEST(Validate, KnowsWhatTheGpuKernelsCannotDo) {
  // hidden, ffn, layers, heads, kv_heads, vocab
  const config::Architecture odd = {4100, 11009, 1, 41, 41, 32001, 10000, 1e-5};  // heads of 100
  EXPECT_THAT(where_of(shape_errors(odd, gpus(1, 0))),
              ElementsAre("odd.json:/arch/hidden", "odd.json:/arch/ffn", "odd.json:/arch/vocab",
                          "odd.json:/arch/heads"));
  EXPECT_EQ(shape_errors(odd, gpus(1, 0))[2].what,
            "model odd: vocab (32001) must be a multiple of 8 on GPUs");
  EXPECT_EQ(shape_errors(odd, gpus(1, 0))[2].help, "use e.g. --set arch.vocab=32008");
  EXPECT_THAT(shape_errors(odd, cpu(1, 999)), testing::IsEmpty());
  const config::Architecture wide_heads = {4096, 11008, 1, 8, 8, 32000, 10000, 1e-5};  // of 512
  EXPECT_EQ(shape_errors(wide_heads, gpus(1, 0)).at(0).what,
            "model odd: hidden / heads (512) must be a multiple of 16 up to 256 on GPUs");
  const config::Architecture edge = {16384, 8, 1, 64, 64, 8, 10000, 1e-5};  // heads of 256
  EXPECT_THAT(shape_errors(edge, gpus(1, 0)), testing::IsEmpty());
  const config::Architecture wide = {16640, 8, 1, 65, 65, 8, 10000, 1e-5};
  EXPECT_THAT(where_of(shape_errors(wide, gpus(1, 0))), ElementsAre("odd.json:/arch/hidden"));
}

TEST(Validate, GpusTrainInBf16) {
  config::Model m = llama_7b();
  m.training.precision = config::Precision::kFp32;
  const Error error = validate(input(cluster(8), m, {8}), gpus(8, 139)).error();
  EXPECT_EQ(error.where, "7b.json:/training/precision");
  EXPECT_THAT(error.help, HasSubstr("training.precision=auto"));
  m = tiny();
  m.training.precision = config::Precision::kFp32;
  EXPECT_TRUE(validate(input(cluster(1), m, {1}), cpu(2, 8)).ok());
}

TEST(Validate, HybridIsNotProposedOnNodesThatDiffer) {
  config::Cluster c = cluster(3);
  c.nodes[2].gpus = {0, 1};  // the others have 4
  config::Model m = llama_7b();
  m.training.sharding = config::Sharding::kHybrid;
  m.training.micro_batch = 1;
  m.training.recompute = {false, false, false, true};
  const Error error = validate(input(c, m, {2}), gpus(4, 8)).error();  // too little memory: tries 3 nodes
  EXPECT_THAT(error.what, HasSubstr("does not fit on 2 nodes"));
  EXPECT_THAT(error.help, testing::Not(HasSubstr("--nodes 3")));
}

TEST(ValidateLocate, TwoBuffersMustFit) {
  PlanInput in;
  in.cluster.name = "mine";
  in.cluster.nodes.resize(2);
  in.node_counts = {2};
  in.phases = {Phase::kLocate};
  in.locate.size_bytes = 80 * kGiB;
  const DeviceFacts facts{true, 4, 1, 139 * kGiB};
  const Status status = validate(in, facts);
  ASSERT_EQ(status.errors().size(), 1u) << format_errors(status.errors());
  EXPECT_EQ(status.error().where, "--size");
  EXPECT_EQ(status.error().what, "two buffers of 80 GiB do not fit: a GPU has 139 GiB");
  in.locate.size_bytes = 60 * kGiB;
  EXPECT_TRUE(validate(in, facts).ok());
}

}  // namespace
}  // namespace sxb::plan
