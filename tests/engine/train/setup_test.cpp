// What a task is told before its first step.
#include "engine/train/loop/setup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/comm/communicator.h"

namespace sxb::engine::train {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

plan::RankTask synthetic_on_gpu() {
  plan::RankTask task;
  task.cuda = true;
  task.task.model.training.warmup = 3;
  return task;
}

TEST(GraphObstacle, IsNoneForSyntheticTokensOnAGpu) {
  plan::RankTask task = synthetic_on_gpu();
  EXPECT_THAT(graph_obstacle(task), IsEmpty());
  task.task.model.training.cuda_graph = config::CudaGraph::kOn;
  EXPECT_THAT(graph_obstacle(task), IsEmpty());
}

TEST(GraphObstacle, SaysWhyStepsAreLaunched) {
  plan::RankTask off = synthetic_on_gpu(), cpu = synthetic_on_gpu(), packed = synthetic_on_gpu(),
                 cold = synthetic_on_gpu();
  off.task.model.training.cuda_graph = config::CudaGraph::kOff;
  EXPECT_THAT(graph_obstacle(off), HasSubstr("off"));
  cpu.cuda = false;
  EXPECT_THAT(graph_obstacle(cpu), HasSubstr("CPUs"));
  packed.dataset_dir = "packed";
  EXPECT_THAT(graph_obstacle(packed), HasSubstr("packed documents"));
  cold.task.model.training.warmup = 2;
  EXPECT_THAT(graph_obstacle(cold), HasSubstr("2 warm-up steps, 3 are needed"));
}

TEST(GraphObstacle, LaunchesStepsWhoseBlocksHideTheLaunches) {
  plan::RankTask task = synthetic_on_gpu();
  task.peak_tflops = 989.4;
  config::Model& model = task.task.model;
  model.arch = {.hidden = 4096, .ffn = 11008, .layers = 32, .heads = 32, .kv_heads = 32, .vocab = 32000};
  model.training.micro_batch = 8;
  model.training.seq_len = 2048;
  // 41.25 GFLOP a token (6 N + 6 L d s) x 16,384 tokens / 32 blocks / 989.4 TFLOP/s = 21.3 ms.
  EXPECT_THAT(graph_obstacle(task), HasSubstr("each block computes for 21 ms"));
  model.training.cuda_graph = config::CudaGraph::kOn;
  EXPECT_THAT(graph_obstacle(task), IsEmpty());
  model.training.cuda_graph = config::CudaGraph::kAuto;
  model.training.micro_batch = 1;
  EXPECT_THAT(graph_obstacle(task), IsEmpty()) << "2.7 ms";
}

TEST(GraphObstacle, RefusesAGraphThatIsDemandedAndCannotBe) {
  plan::RankTask task = synthetic_on_gpu();
  task.task.model.training.cuda_graph = config::CudaGraph::kOn;
  task.task.model.training.warmup = 0;
  try {
    graph_obstacle(task);
    FAIL() << "not refused";
  } catch (const EngineError& error) {
    EXPECT_EQ(error.code, "cuda_graph_unusable");
    EXPECT_EQ(error.exit_code, ExitCode::kUsage);
    EXPECT_THAT(error.help, HasSubstr("--warmup 3"));
  }
}

}  // namespace
}  // namespace sxb::engine::train
