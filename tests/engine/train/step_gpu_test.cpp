// The step on real GPUs, launched kernel by kernel and replayed as a CUDA graph: both give the same
// curve, neither waits for the device, the replayed one asks for no memory. One process per GPU, as in
// a run; the parent never touches CUDA.
#include <c10/core/InferenceMode.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ATen/ops/empty.h>
#include <cuda_runtime_api.h>

#include "engine/support/gpu_ranks.h"
#include "engine/train/cuda_calls.h"
#include "engine/train/loop/checkpoint.h"
#include "engine/train/loop/step.h"
#include "engine/train/loop/trainer.h"
#include "record/record.h"

namespace sxb::engine::train {
namespace {

using config::Sharding;
using testing::IsEmpty;
using testing::Not;

/// Rows of one attention tile, so that the library sums in one order and both ways give the same bits.
config::Model small_model(Sharding sharding) {
  config::Model model;
  model.name = "small";
  model.arch.hidden = 512, model.arch.ffn = 1376, model.arch.layers = 3, model.arch.heads = 4,
  model.arch.kv_heads = 4;
  model.arch.vocab = 1024;
  model.training.seq_len = 64;
  model.training.micro_batch = 16;
  model.training.steps = 16;
  model.training.warmup = 4;
  model.training.sharding = sharding;
  model.training.recompute.automatic = false;
  // One update missed, repeated or made with another step's rate shows in the loss.
  model.optimizer.lr = 1e-2;
  model.optimizer.schedule.warmup_steps = 8;
  return model;
}

// --- what a step asks of CUDA --------------------------------------------------------------------

/// The parts of a trainer, so that single steps can be watched.
class Rig {
 public:
  Rig(comm::Communicator& comm, Sharding sharding, bool graph)
      : comm_(comm),
        model_(small_model(sharding)),
        device_(Device::make(true, true)),
        stream_(*device_.compute_stream),
        layout_(make_layout(model_.arch, comm.world())),
        groups_(comm),
        parameters_(layout_, {.sharding = sharding}, device_, groups_),
        llama_(layout_, device_, tokens(), model_.training.seq_len, model_.training.recompute),
        loader_(nullptr, loader_options()),
        step_(model_, layout_, device_, comm, parameters_, llama_, loader_, graph),
        log_(device_, 2, step_.sums().numel()) {
    initialize_random(parameters_, layout_, 1, device_);
    log_.start();
  }
  ~Rig() { device_.synchronize(); }
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  void queue_step() {
    const StepFacts facts = step_.run(++number_, nullptr);
    log_.finish(facts, step_.results(), step_.sums());
  }
  void take_step() {
    if (log_.pending() > 1) log_.take();
  }

 private:
  std::int64_t tokens() const { return model_.training.micro_batch * model_.training.seq_len; }
  LoaderOptions loader_options() const {
    LoaderOptions options;
    options.micro_batch = model_.training.micro_batch;
    options.seq_len = model_.training.seq_len;
    options.rank = comm_.rank();
    options.world = comm_.world();
    options.vocab = model_.arch.vocab;
    return options;
  }
  const c10::InferenceMode no_autograd_;
  comm::Communicator& comm_;
  const config::Model model_;
  const Device device_;
  const c10::cuda::CUDAStreamGuard stream_;
  const Layout layout_;
  const ProcessGroups groups_;
  ShardedParameters parameters_;
  Llama llama_;
  Loader loader_;
  TrainStep step_;
  StepLog log_;
  std::int64_t number_ = 0;
};

/// Requests to torch's allocator since the process began.
std::int64_t allocator_requests() {
  const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(0);
  return stats.allocation[static_cast<std::size_t>(c10::CachingAllocator::StatType::AGGREGATE)].allocated;
}

struct Asked {
  std::map<std::string, int> waits, allocations;
  std::int64_t requests = 0;
  int calls = 0;
};

/// What ten steady steps ask for between their first launch and their last.
Asked asked_by_steady_steps(comm::Communicator& comm, Sharding sharding, bool graph) {
  Rig rig(comm, sharding, graph);
  for (int i = 0; i < 8; ++i) rig.queue_step(), rig.take_step();
  CudaCalls calls;
  Asked asked;
  for (int i = 0; i < 10; ++i) {
    const std::int64_t before = allocator_requests();
    calls.count(true);
    rig.queue_step();
    calls.count(false);
    asked.requests += allocator_requests() - before;
    rig.take_step();  // waits for the step before
  }
  asked.waits = calls.waits();
  asked.allocations = calls.allocations();
  asked.calls = calls.all();
  return asked;
}

constexpr Sharding kShardings[] = {Sharding::kNone, Sharding::kOptimizer, Sharding::kGradients,
                                   Sharding::kFull};

TEST(StepOnGpu, ReplayedStepNeitherAllocatesNorWaits) {
  run_nccl([](comm::Communicator& comm) {
    for (const Sharding sharding : kShardings) {
      const Asked asked = asked_by_steady_steps(comm, sharding, true);
      EXPECT_THAT(asked.waits, IsEmpty()) << config::to_string(sharding);
      EXPECT_THAT(asked.allocations, IsEmpty()) << config::to_string(sharding);
      EXPECT_EQ(asked.requests, 0) << config::to_string(sharding);
      EXPECT_GT(asked.calls, 0);
      EXPECT_LT(asked.calls, 10 * 60) << "hundreds of calls a step: this is no replay";
    }
  });
}

TEST(StepOnGpu, LaunchedStepNeverWaitsNorTakesMemoryFromTheDriver) {
  run_nccl([](comm::Communicator& comm) {
    for (const Sharding sharding : kShardings) {
      const Asked asked = asked_by_steady_steps(comm, sharding, false);
      EXPECT_THAT(asked.waits, IsEmpty()) << config::to_string(sharding);
      EXPECT_THAT(asked.allocations, IsEmpty()) << config::to_string(sharding);
    }
  });
}

TEST(StepOnGpu, ASingleWaitOrAllocationWouldBeSeen) {
  run_nccl([](comm::Communicator&) {
    const Device device = Device::make(true, true);
    const auto on_gpu = at::TensorOptions().device(device.at).dtype(at::kByte);
    const at::Tensor first = at::empty({1}, on_gpu);  // context and allocator are there
    CudaCalls calls;
    const std::int64_t before = allocator_requests();
    calls.count(true);
    EXPECT_EQ(cudaStreamSynchronize(nullptr), cudaSuccess);
    EXPECT_EQ(calls.waits().size(), 1u);
    std::uint8_t host = 0;
    EXPECT_EQ(cudaMemcpy(&host, first.data_ptr(), sizeof host, cudaMemcpyDeviceToHost), cudaSuccess);
    EXPECT_GT(calls.waits().size(), 1u);
    EXPECT_THAT(calls.allocations(), IsEmpty());
    EXPECT_EQ(allocator_requests() - before, 0);
    const at::Tensor small = at::empty({1}, on_gpu);  // from memory that the allocator holds
    EXPECT_THAT(calls.allocations(), IsEmpty());
    EXPECT_EQ(allocator_requests() - before, 1);
    const at::Tensor large = at::empty({64 << 20}, on_gpu);
    EXPECT_THAT(calls.allocations(), Not(IsEmpty()));
  });
}

// --- whole runs ----------------------------------------------------------------------------------

struct Curve {
  std::vector<double> loss, norm;
  Json training, phases, rank;
  Json trace = Json::array();

  static void add(void* user, const char* json) {
    auto* self = static_cast<Curve*>(user);
    const Json line = Json::parse(json);
    const std::string kind = line.at("kind");
    const Json& data = line.at("data");
    if (kind == record::kind::kStep) {
      self->loss.push_back(data.at("loss").get<double>());
      self->norm.push_back(data.at("grad_norm").get<double>());
    }
    if (kind == record::kind::kTraining) self->training = data;
    if (kind == record::kind::kPhases) self->phases = data;
    if (kind == record::kind::kRank) self->rank = data;
    if (kind == record::kind::kTrace) self->trace = data.at("events");
  }
};

Curve train(comm::Communicator& comm, const config::Model& model) {
  plan::RankTask task;
  task.task.phase = plan::Phase::kSft;
  task.task.model = model;
  task.cuda = true;
  task.gpu = task.rank = task.local_rank = comm.rank();
  task.world = task.local_world = comm.world();
  Curve curve;
  run_training(task, comm, Emitter(&Curve::add, &curve));
  return curve;
}

void expect_replay_gives_the_launched_curve(comm::Communicator& comm, config::Model model) {
  model.training.cuda_graph = config::CudaGraph::kOff;
  const Curve launched = train(comm, model);
  model.training.cuda_graph = config::CudaGraph::kOn;
  model.training.trace = true;
  const Curve replayed = train(comm, model);
  ASSERT_EQ(replayed.loss.size(), launched.loss.size());
  for (std::size_t i = 0; i < launched.loss.size(); ++i) {
    EXPECT_NEAR(replayed.loss[i] / launched.loss[i], 1, 1e-4) << "step " << i + 1;
    EXPECT_NEAR(replayed.norm[i] / launched.norm[i], 1, 1e-2) << "step " << i + 1;
  }
  if (comm.rank() == 0) {
    EXPECT_EQ(replayed.training.at("cuda_graph"), "replayed");
    EXPECT_EQ(launched.training.at("cuda_graph"), "training.cuda_graph is off");
  }
  // No second copy of what the backward pass keeps.
  EXPECT_LE(replayed.rank.at("peak_memory_bytes").get<double>(),
            1.03 * launched.rank.at("peak_memory_bytes").get<double>());
  for (const Curve* curve : {&launched, &replayed}) {
    const Json& p = curve->phases;
    double sum = p.at("exposed_comm_ms").get<double>();
    for (const char* phase : {"forward_ms", "backward_ms", "optimizer_ms"}) {
      EXPECT_GT(p.at(phase).get<double>(), 0) << phase;
      sum += p.at(phase).get<double>();
    }
    EXPECT_LE(sum, 1.1 * p.at("step_ms").get<double>());  // medians of parts, each over its own steps
  }
  int blocks = 0;
  for (const Json& e : replayed.trace) {
    if (e.at("ph") != "X") continue;
    EXPECT_GE(e.at("dur").get<double>(), 0) << e;
    blocks += e.at("name") == "forward block 2" || e.at("name") == "backward block 2" ? 1 : 0;
  }
  EXPECT_EQ(blocks, 2 * model.training.grad_accumulation);
}

class ReplayedOnGpu : public testing::TestWithParam<Sharding> {};

TEST_P(ReplayedOnGpu, GivesTheCurveOfLaunchedSteps) {
  const Sharding sharding = GetParam();
  run_nccl(
      [&](comm::Communicator& comm) { expect_replay_gives_the_launched_curve(comm, small_model(sharding)); });
}

TEST_P(ReplayedOnGpu, AccumulatesMicroSteps) {
  const Sharding sharding = GetParam();
  run_nccl([&](comm::Communicator& comm) {
    config::Model model = small_model(sharding);
    model.training.micro_batch = 4;
    model.training.grad_accumulation = 3;
    expect_replay_gives_the_launched_curve(comm, model);
  });
}

TEST(StepOnGpu, ReplayedWithRecomputation) {
  run_nccl([](comm::Communicator& comm) {
    config::Model model = small_model(Sharding::kFull);
    model.training.recompute = {false, true, true, true};
    expect_replay_gives_the_launched_curve(comm, model);
  });
}

INSTANTIATE_TEST_SUITE_P(Shardings, ReplayedOnGpu, testing::ValuesIn(kShardings),
                         [](const auto& values) { return config::to_string(values.param); });

}  // namespace
}  // namespace sxb::engine::train
