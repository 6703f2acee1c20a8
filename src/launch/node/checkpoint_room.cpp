#include "launch/node/checkpoint_room.h"

#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "base/files.h"
#include "base/folder.h"
#include "base/units.h"
#include "metrics/host.h"

namespace sxb::launch {
namespace fs = std::filesystem;
namespace {

/// What an earlier attempt of the same ranks left: it is overwritten or removed, not added to.
std::int64_t bytes_below(const fs::path& folder) {
  std::int64_t bytes = 0;
  std::error_code ec;
  for (fs::recursive_directory_iterator it(folder, ec), end; !ec && it != end; it.increment(ec)) {
    std::error_code error;  // another node may remove its own just now
    const auto size = fs::file_size(it->path(), error);
    if (!error) bytes += static_cast<std::int64_t>(size);
  }
  return bytes;
}

}  // namespace

CheckpointNeed checkpoint_need(const config::Model& model, const plan::Ranks& ranks, int local_ranks) {
  const config::Model settled = plan::resolve_auto(model, ranks);
  return {local_ranks, plan::checkpoint_shard_bytes(settled, ranks), model.training.checkpoint.keep,
          plan::estimate_memory(settled, ranks).pinned_bytes};
}

CheckpointRoom checkpoint_room(const fs::path& folder) {
  CheckpointRoom room;
  fs::path there = absolute_path(folder);
  std::error_code ec;
  while (!fs::exists(there, ec) && there.has_relative_path()) there = there.parent_path();
  struct statvfs found = {};
  if (::statvfs(there.c_str(), &found) == 0) {
    room.disk_bytes = static_cast<std::int64_t>(found.f_bavail) * static_cast<std::int64_t>(found.f_frsize);
  }
  if (const auto text = read_file("/proc/meminfo")) {
    room.memory_bytes = metrics::meminfo_bytes(*text, "MemAvailable");
  }
  return room;
}

Status judge_checkpoint_room(const config::Model& model, const CheckpointNeed& need,
                             const CheckpointRoom& room, const fs::path& folder) {
  if (room.disk_bytes >= 0 && need.disk_bytes() > room.disk_bytes) {
    return Error{
        fmt::format("the checkpoints of model {} do not fit: {} of {} from {} ranks each need {}, there "
                    "are {}",
                    model.name, need.kept + 1, format_bytes(need.shard_bytes), need.ranks,
                    format_bytes(need.disk_bytes()), format_bytes(room.disk_bytes)),
        folder.string(),
        "choose another folder with --set training.checkpoint.folder=DIR, or keep fewer: --set "
        "training.checkpoint.keep=1",
        ExitCode::kEnvironment};
  }
  const std::int64_t pinned = need.pinned_bytes * need.ranks;
  if (room.memory_bytes >= 0 && pinned > room.memory_bytes) {
    return Error{
        fmt::format("model {} needs {} of pinned host memory for {} ranks, there are {}: a checkpoint is "
                    "written from a copy of the optimizer's state",
                    model.name, format_bytes(pinned), need.ranks, format_bytes(room.memory_bytes)),
        "/proc/meminfo",
        "more nodes, or no checkpoints: --set training.checkpoint.every_minutes=0 --set "
        "training.checkpoint.every_steps=0",
        ExitCode::kEnvironment};
  }
  return ok_status();
}

fs::path checkpoint_folder(const config::Checkpoint& checkpoint) {
  return checkpoint.folder.empty() ? cache_dir() / "checkpoints" : fs::path(checkpoint.folder);
}

Status prepare_checkpoints(std::vector<plan::RankTask>& ranks) {
  if (ranks.empty() || ranks.front().checkpoint_dir.empty()) return ok_status();
  const config::Model& model = ranks.front().task.model;
  if (model.training.checkpoint.folder.empty()) {
    SXB_ASSIGN_OR_RETURN(const fs::path cache, usable_cache_dir());
    for (plan::RankTask& rank : ranks)
      rank.checkpoint_dir = (cache / "checkpoints" / rank.checkpoint_dir).string();
  }
  const fs::path folder = ranks.front().checkpoint_dir;
  std::error_code ec;
  fs::create_directories(folder, ec);
  if (!ec && ::access(folder.c_str(), W_OK) != 0) ec = {errno, std::generic_category()};
  if (ec) {
    return Error{"cannot write checkpoints: " + ec.message(), folder.string(),
                 "choose a folder that you may write to with --set training.checkpoint.folder=DIR",
                 ExitCode::kEnvironment};
  }
  CheckpointRoom room = checkpoint_room(folder);
  if (room.disk_bytes >= 0) room.disk_bytes += bytes_below(folder);
  return judge_checkpoint_room(
      model, checkpoint_need(model, plan::ranks_of(ranks.front()), static_cast<int>(ranks.size())), room,
      folder);
}

}  // namespace sxb::launch
