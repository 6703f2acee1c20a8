// What a task is told before its first step.
#include "engine/train/setup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/comm/communicator.h"

namespace sxb::engine {
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
}  // namespace sxb::engine
