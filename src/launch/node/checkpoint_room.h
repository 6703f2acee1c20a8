// Whether the checkpoints of a training have room: on the disk, and on GPU nodes in the host's memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "base/result.h"
#include "config/model/model.h"
#include "plan/memory.h"
#include "plan/task.h"

namespace sxb::launch {

/// Of the ranks that write to one disk.
struct CheckpointNeed {
  int ranks = 0;
  std::int64_t shard_bytes = 0;   ///< of each
  std::int64_t kept = 0;          ///< checkpoints; one more while it is written
  std::int64_t pinned_bytes = 0;  ///< host memory of each beside its GPU
  std::int64_t disk_bytes() const { return shard_bytes * ranks * (kept + 1); }
};
CheckpointNeed checkpoint_need(const config::Model& model, const plan::Ranks& ranks, int local_ranks);

/// -1: not known.
struct CheckpointRoom {
  std::int64_t disk_bytes = -1;
  std::int64_t memory_bytes = -1;
};
/// Free now; of the file system that `folder` is on, or will be.
CheckpointRoom checkpoint_room(const std::filesystem::path& folder);

/// An error says what is needed and what is there.
Status judge_checkpoint_room(const config::Model& model, const CheckpointNeed& need,
                             const CheckpointRoom& room, const std::filesystem::path& folder);

/// The folder that the user named, or the one in this node's cache.
std::filesystem::path checkpoint_folder(const config::Checkpoint& checkpoint);

/// For the ranks of this node: fills in where they keep their checkpoints, makes the folder, looks for room.
Status prepare_checkpoints(std::vector<plan::RankTask>& ranks);

}  // namespace sxb::launch
