// Checkpoints that would not fit are refused before anything starts, with the numbers.
#include "launch/node/checkpoint_room.h"

#include <gmock/gmock.h>

#include "base/secret.h"
#include "base/units.h"
#include "launch/head/placement.h"

namespace sxb::launch {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

config::Model model_7b() {
  config::Model model;
  model.name = "7b";
  model.arch.hidden = 4096, model.arch.ffn = 11008, model.arch.layers = 32, model.arch.heads = 32,
  model.arch.kv_heads = 32, model.arch.vocab = 32000;
  model.training.seq_len = 2048;
  model.training.steps = 10;
  model.training.checkpoint.every_minutes = 1;
  return model;
}

/// 8 GPUs of one node, fully sharded.
plan::Ranks eight_gpus() { return {8, 1, 8, true, 140 * kGiB}; }

TEST(CheckpointRoom, IsCountedInCheckpointsAndOneMore) {
  config::Model model = model_7b();
  model.training.sharding = config::Sharding::kFull;
  const CheckpointNeed need = checkpoint_need(model, eight_gpus(), 8);
  EXPECT_EQ(need.shard_bytes, 12 * model.arch.parameters() / 8);
  EXPECT_EQ(need.pinned_bytes, need.shard_bytes);
  EXPECT_EQ(need.disk_bytes(), 3 * 8 * need.shard_bytes);
  EXPECT_TRUE(judge_checkpoint_room(model, need, {need.disk_bytes(), 8 * need.shard_bytes}, "/ckpt").ok());
  EXPECT_TRUE(judge_checkpoint_room(model, need, {}, "/ckpt").ok()) << "what is not known refuses nothing";

  const Status disk = judge_checkpoint_room(model, need, {need.disk_bytes() - 1, -1}, "/ckpt");
  ASSERT_FALSE(disk.ok());
  EXPECT_EQ(disk.error().code, ExitCode::kEnvironment);
  EXPECT_EQ(disk.error().where, "/ckpt");
  EXPECT_THAT(disk.error().what, AllOf(HasSubstr("3 of 9.4 GiB from 8 ranks"), HasSubstr("need 225.9")));
  EXPECT_THAT(disk.error().help, HasSubstr("training.checkpoint.folder"));

  const Status memory = judge_checkpoint_room(model, need, {-1, 8 * need.shard_bytes - 1}, "/ckpt");
  ASSERT_FALSE(memory.ok());
  EXPECT_THAT(memory.error().what, HasSubstr("pinned host memory for 8 ranks"));
}

TEST(CheckpointRoom, OffloadedStateAndItsCopyAreBothPinned) {
  config::Model model = model_7b();
  model.training.sharding = config::Sharding::kFull;
  model.training.offload = config::Offload::kOptimizer;
  EXPECT_EQ(checkpoint_need(model, eight_gpus(), 8).pinned_bytes, 2 * (12 * model.arch.parameters() / 8));
}

TEST(CheckpointRoom, IsThatOfTheFileSystem) {
  const fs::path dir = fs::path(::testing::TempDir()) / ("sxb-" + random_token());
  const CheckpointRoom room = checkpoint_room(dir / "not" / "yet");
  EXPECT_GT(room.disk_bytes, 0);
  EXPECT_GT(room.memory_bytes, 0);
  EXPECT_FALSE(fs::exists(dir)) << "looking makes nothing";
}

TEST(CheckpointRoom, RanksGetTheirFolderAndAreRefusedWithoutRoom) {
  const fs::path dir = fs::path(::testing::TempDir()) / ("sxb-" + random_token());
  plan::Task task;
  task.id = "0123456789ab";
  task.phase = plan::Phase::kSft;
  task.model = model_7b();
  EXPECT_EQ(checkpoint_dir(task, "run"), "run/0123456789ab");
  task.model.training.checkpoint.folder = dir.string();
  EXPECT_EQ(checkpoint_dir(task, "run"), (dir / "run" / "0123456789ab").string());
  plan::RankTask rank;
  rank.task = task;
  rank.checkpoint_dir = checkpoint_dir(task, "run");
  std::vector<plan::RankTask> ranks = {rank};
  ranks[0].task.model.arch.layers = 1, ranks[0].task.model.arch.hidden = 64,
  ranks[0].task.model.arch.ffn = 64, ranks[0].task.model.arch.heads = 1,
  ranks[0].task.model.arch.kv_heads = 1;
  EXPECT_TRUE(prepare_checkpoints(ranks).ok());
  EXPECT_TRUE(fs::is_directory(dir / "run" / "0123456789ab"));
  ranks[0].task.model.arch.layers = 100'000'000'000;  // no disk has so many petabytes
  const Status refused = prepare_checkpoints(ranks);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().what, StartsWith("the checkpoints of model 7b do not fit"));
  fs::remove_all(dir);
  task.model.training.checkpoint = {};
  EXPECT_EQ(checkpoint_dir(task, "run"), "");
}

}  // namespace
}  // namespace sxb::launch
