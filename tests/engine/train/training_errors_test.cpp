// Training that cannot go on ends with a clear error.
#include <fstream>

#include "base/files.h"
#include "engine/train/training_run.h"

namespace sxb::engine::train {
namespace {

std::string error_code(const plan::RankTask& task) {
  RunRecords records;
  try {
    run(task, records);
  } catch (const EngineError& e) {
    EXPECT_FALSE(std::string(e.what()).empty());
    return e.code;
  }
  return "";
}

TEST(TrainingErrors, NanLoss) {
  plan::RankTask task = tiny_task(1, 20);
  task.task.model.optimizer.lr = 1e30;
  task.task.model.optimizer.schedule.warmup_steps = 0;
  EXPECT_EQ(error_code(task), "nan_loss");
}

TEST(TrainingErrors, VocabularyOverflow) {
  plan::RankTask task = tiny_task(1, 2);
  task.task.model.arch.vocab = 512;
  EXPECT_EQ(error_code(task), "vocabulary_overflow");
}

TEST(TrainingErrors, OtherSequenceLength) {
  plan::RankTask task = tiny_task(1, 2);
  task.task.model.training.seq_len = 32;
  EXPECT_EQ(error_code(task), "dataset_invalid");
}

TEST(TrainingErrors, CorruptShard) {
  const TemporaryDir dir;
  fs::copy(dataset(), dir.path() / "packed");
  for (const auto& entry : fs::directory_iterator(dir.path() / "packed")) {
    if (entry.path().extension() != ".bin") continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096);
    file.write("\x55\xaa", 2);
  }
  plan::RankTask task = tiny_task(1, 2);
  task.dataset_dir = (dir.path() / "packed").string();
  EXPECT_EQ(error_code(task), "dataset_invalid");
}

TEST(TrainingErrors, CheckpointOfAnotherShape) {
  plan::RankTask task = tiny_task(1, 2);
  task.task.model.init_from = std::string(SXB_TEST_DATA) + "/hf-tiny/model.safetensors";
  task.task.model.arch.ffn = 184;
  EXPECT_EQ(error_code(task), "checkpoint_invalid");
}

TEST(TrainingErrors, TruncatedCheckpoint) {
  const TemporaryDir dir;
  const fs::path copy = dir.path() / "model.safetensors";
  fs::copy(std::string(SXB_TEST_DATA) + "/hf-tiny/model.safetensors", copy);
  fs::resize_file(copy, fs::file_size(copy) - 1000);
  plan::RankTask task = tiny_task(1, 2);
  task.task.model.init_from = copy.string();
  EXPECT_EQ(error_code(task), "checkpoint_invalid");
}

TEST(TrainingErrors, AGraphThatIsDemandedNeedsAGpu) {
  plan::RankTask task = tiny_task(1, 2);
  task.task.model.training.cuda_graph = config::CudaGraph::kOn;
  EXPECT_EQ(error_code(task), "cuda_graph_unusable");
}

TEST(TrainingErrors, Bf16NeedsAGpu) {
  plan::RankTask task = tiny_task(1, 2);
  task.task.model.training.precision = config::Precision::kBf16;
  EXPECT_EQ(error_code(task), "precision_unsupported");
}

}  // namespace
}  // namespace sxb::engine::train
