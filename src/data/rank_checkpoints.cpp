#include "data/rank_checkpoints.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <fstream>
#include <optional>
#include <thread>
#include <utility>

#include "base/files.h"
#include "base/folder.h"
#include "base/hash.h"
#include "data/safetensors.h"

namespace sxb::data {
namespace fs = std::filesystem;
namespace {

constexpr int kSchema = 1;
/// A rank of a run whose head was killed is ended within seconds, and finishes no write for longer than this.
constexpr std::chrono::seconds kLockPatience(60);
/// A holder that ends removes its lock's file, and who waited for it takes the next one.
constexpr int kLockAttempts = 100;

Error checkpoint_error(const std::string& what, const fs::path& where, const std::string& help) {
  return Error{what, where.string(), help, ExitCode::kEnvironment};
}

std::string step_folder(std::int64_t step) { return fmt::format("step-{:09}", step); }

/// The number in "step-000000120"; none in any other name.
std::optional<std::int64_t> step_of(const std::string& name) {
  constexpr std::string_view kPrefix = "step-";
  if (name.rfind(kPrefix, 0) != 0) return std::nullopt;
  std::int64_t step = 0;
  const char* end = name.data() + name.size();
  const auto [at, code] = std::from_chars(name.data() + kPrefix.size(), end, step);
  return code == std::errc() && at == end && step > 0 ? std::optional(step) : std::nullopt;
}

/// Over names, sizes and content.
std::string hash_of(const std::vector<StateTensor>& layout,
                    const std::function<const void*(std::size_t)>& data) {
  LineHash hash;
  for (std::size_t i = 0; i < layout.size(); ++i) {
    const StateTensor& tensor = layout[i];
    const auto bytes = static_cast<std::size_t>(tensor.numel) * sizeof(float);
    hash.add(fmt::format("{} {} {}", tensor.name, tensor.numel, hash_hex(data(i), bytes)));
  }
  return hash.hex();
}

/// Of all of a manifest but itself: a damaged one must not be taken for that of another training.
std::string seal_of(Json manifest) {
  manifest.erase("seal");
  return hash_hex(canonical_json(manifest));
}

std::string shown(const Json& value) { return value.is_string() ? value.get<std::string>() : dump(value); }

const Json& member_of(const Json& object, const std::string& key) {
  static const Json kNull;
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found == object.end() ? kNull : *found;
}

}  // namespace

struct RankCheckpoints::Impl {
  fs::path folder;
  std::string stem;  ///< "rank-00003"
  Json of;
  int lock = -1, log = -1;
  ~Impl() {
    // One that wrote nothing leaves nothing: it was refused.
    std::error_code ec;
    if (lock >= 0 && holds_lock_file() && !has_files()) fs::remove(lock_file(), ec);
    close_lock();
    if (log >= 0) ::close(log);
  }
  fs::path shard(std::int64_t step) const { return folder / step_folder(step) / (stem + ".safetensors"); }
  fs::path manifest(std::int64_t step) const { return folder / step_folder(step) / (stem + ".json"); }
  fs::path lock_file() const { return folder / (stem + ".lock"); }
  fs::path log_file() const { return folder / (stem + ".jsonl"); }

  std::vector<std::int64_t> folders() const {
    std::vector<std::int64_t> steps;
    std::error_code ec;
    for (fs::directory_iterator it(folder, ec), end; !ec && it != end; it.increment(ec)) {
      if (const auto step = step_of(it->path().filename().string())) steps.push_back(*step);
    }
    std::sort(steps.rbegin(), steps.rend());
    return steps;
  }

  bool has_files() const {
    std::error_code ec;
    const std::vector<std::int64_t> steps = folders();
    return fs::exists(log_file(), ec) || std::any_of(steps.begin(), steps.end(), [&](std::int64_t step) {
             return fs::exists(shard(step), ec) || fs::exists(manifest(step), ec);
           });
  }

  /// Not if whoever had the lock before has removed its file.
  bool holds_lock_file() const {
    struct stat own = {}, there = {};
    return ::fstat(lock, &own) == 0 && ::stat(lock_file().c_str(), &there) == 0 &&
           own.st_dev == there.st_dev && own.st_ino == there.st_ino;
  }

  Status take_lock() {
    for (int attempt = 0; attempt < kLockAttempts; ++attempt) {
      close_lock();
      lock = ::open(lock_file().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
      if (lock < 0) {
        return checkpoint_error(
            fmt::format("cannot write checkpoints: {}", std::strerror(errno)), folder,
            "choose a folder that you may write to with --set training.checkpoint.folder=DIR");
      }
      if (const Status taken = wait_for_lock(); !taken.ok()) {
        close_lock();  // and leave the file to its holder
        return taken;
      }
      if (holds_lock_file()) break;
    }
    return ok_status();
  }

  void close_lock() {
    if (lock >= 0) ::close(lock);
    lock = -1;
  }

  Status wait_for_lock() const {
    const auto deadline = std::chrono::steady_clock::now() + kLockPatience;
    while (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
      // A file system without locks: nothing tells two ranks apart there, and one run is the rule.
      if (errno == ENOLCK || errno == ENOTSUP) return ok_status();
      if (errno != EINTR && std::chrono::steady_clock::now() > deadline) {
        return checkpoint_error("another process writes checkpoints of this run here", lock_file(),
                                "wait until it has ended, or stop it: `fuser` names it");
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return ok_status();
  }

  Status open_log() {
    log = ::open(log_file().c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    char last = '\n';
    const off_t end = log >= 0 ? ::lseek(log, 0, SEEK_END) : 0;
    if (end > 0 && ::pread(log, &last, 1, end - 1) != 1) last = '\0';
    // A line that was cut off by a kill stays by itself.
    if (log >= 0 && (last == '\n' || ::write(log, "\n", 1) == 1)) return ok_status();
    return checkpoint_error(fmt::format("cannot write the log of steps: {}", std::strerror(errno)),
                            log_file(), "free space there, or choose another folder");
  }

  Status sync_log() const {
    if (log < 0 || ::fsync(log) == 0) return ok_status();
    return checkpoint_error(fmt::format("cannot write the log of steps: {}", std::strerror(errno)),
                            log_file(), "");
  }

  /// Under the lock nobody but a killed rank can have left a part.
  void remove_unfinished() const {
    for (const std::int64_t step : folders()) {
      std::error_code ec;
      const bool whole = fs::exists(manifest(step), ec);
      std::vector<fs::path> parts;
      for (fs::directory_iterator it(folder / step_folder(step), ec), end; !ec && it != end;
           it.increment(ec)) {
        const std::string name = it->path().filename().string();
        const bool temporary =
            name.rfind(stem + ".", 0) == 0 && name != stem + ".json" && name != stem + ".safetensors";
        const bool own = name.rfind(stem + ".", 0) == 0;
        if (temporary || (own && !whole)) parts.push_back(it->path());
      }
      for (const fs::path& part : parts) fs::remove(part, ec);
      if (!whole) fs::remove(folder / step_folder(step), ec);  // only if it is empty
    }
  }

  Result<Json> load_manifest(std::int64_t step) const {
    Result<Json> json = load_json(manifest(step));
    if (!json.ok()) return json;
    if (!json->is_object() || member_of(*json, "schema") != Json(kSchema) ||
        member_of(*json, "step") != Json(step) || member_of(*json, "seal") != Json(seal_of(*json))) {
      return checkpoint_error("the manifest is damaged, or of another build", manifest(step), "");
    }
    return json;
  }
};

RankCheckpoints::RankCheckpoints(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RankCheckpoints::RankCheckpoints(RankCheckpoints&&) noexcept = default;
RankCheckpoints& RankCheckpoints::operator=(RankCheckpoints&&) noexcept = default;
RankCheckpoints::~RankCheckpoints() = default;

Result<RankCheckpoints> RankCheckpoints::open(const fs::path& folder, int rank, Json of) {
  auto impl = std::make_unique<Impl>();
  impl->folder = folder;
  impl->stem = fmt::format("rank-{:05}", rank);
  impl->of = std::move(of);
  std::error_code ec;
  fs::create_directories(folder, ec);
  SXB_RETURN_IF_ERROR(impl->take_lock());
  impl->remove_unfinished();
  return RankCheckpoints(std::move(impl));
}

std::vector<std::int64_t> RankCheckpoints::steps() const {
  std::vector<std::int64_t> steps = impl_->folders();
  std::error_code ec;
  std::erase_if(steps, [&](std::int64_t step) { return !fs::exists(impl_->manifest(step), ec); });
  return steps;
}

Status RankCheckpoints::write(std::int64_t step, const std::vector<StateTensor>& tensors, const Json& state,
                              const std::function<bool()>& complete) {
  std::vector<TensorToWrite> parts;
  std::int64_t bytes = 0;
  for (const StateTensor& tensor : tensors) {
    const std::int64_t size = tensor.numel * static_cast<std::int64_t>(sizeof(float));
    parts.push_back({tensor.name, "F32", {tensor.numel}, tensor.data, size});
    bytes += size;
  }
  Json manifest = {{"schema", kSchema},
                   {"step", step},
                   {"file", impl_->shard(step).filename().string()},
                   {"bytes", bytes},
                   {"hash", hash_of(tensors, [&](std::size_t i) { return tensors[i].data; })},
                   {"of", impl_->of},
                   {"state", state}};
  manifest["seal"] = seal_of(manifest);
  Status written = write_safetensors(impl_->shard(step), parts);
  if (written.ok() && complete && !complete()) {
    remove(step);
    return ok_status();
  }
  if (written.ok()) written = impl_->sync_log();
  if (written.ok()) written = write_file_atomic(impl_->manifest(step), pretty_json(manifest));
  if (!written.ok()) {
    remove(step);
    return checkpoint_error("cannot write the checkpoint: " + written.error().what, impl_->shard(step),
                            "free space there, or choose another folder with --set "
                            "training.checkpoint.folder=DIR");
  }
  SXB_RETURN_IF_ERROR(sync_folder(impl_->folder / step_folder(step)));
  return sync_folder(impl_->folder);
}

Status RankCheckpoints::log(const std::string& line) {
  if (impl_->log < 0) SXB_RETURN_IF_ERROR(impl_->open_log());
  const std::string text = line + "\n";
  if (::write(impl_->log, text.data(), text.size()) == static_cast<ssize_t>(text.size())) return ok_status();
  return checkpoint_error(fmt::format("cannot write the log of steps: {}", std::strerror(errno)),
                          impl_->log_file(), "free space there");
}

std::vector<std::string> RankCheckpoints::logged() const {
  std::vector<std::string> lines;
  std::ifstream in(impl_->log_file());
  for (std::string line; std::getline(in, line) && !in.eof();) lines.push_back(line);
  return lines;
}

Status RankCheckpoints::check_identity(std::int64_t step) const {
  const Result<Json> manifest = impl_->load_manifest(step);
  if (!manifest.ok()) return ok_status();  // damaged: read() says so
  const Json& other = member_of(*manifest, "of");
  for (const auto& item : impl_->of.items()) {
    const Json& theirs = member_of(other, item.key());
    if (theirs == item.value()) continue;
    return Error{
        fmt::format("the checkpoint of step {} is of another training: {} was {}, and is {} now", step,
                    item.key(), shown(theirs), shown(item.value())),
        impl_->manifest(step).string(),
        fmt::format("go on as it was begun; or remove {} to train from step 1", impl_->folder.string())};
  }
  return ok_status();
}

struct RankCheckpoints::Shard::Impl {
  explicit Impl(SafetensorsReader file) : reader(std::move(file)) {}
  SafetensorsReader reader;
  std::vector<const void*> data;
  Json state;
};

RankCheckpoints::Shard::Shard(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RankCheckpoints::Shard::Shard(Shard&&) noexcept = default;
RankCheckpoints::Shard& RankCheckpoints::Shard::operator=(Shard&&) noexcept = default;
RankCheckpoints::Shard::~Shard() = default;
const Json& RankCheckpoints::Shard::state() const { return impl_->state; }
const void* RankCheckpoints::Shard::data(std::size_t index) const { return impl_->data[index]; }

Result<RankCheckpoints::Shard> RankCheckpoints::read(std::int64_t step,
                                                     const std::vector<StateTensor>& layout) const {
  const fs::path path = impl_->shard(step);
  SXB_ASSIGN_OR_RETURN(const Json manifest, impl_->load_manifest(step));
  SXB_RETURN_IF_ERROR(check_identity(step));
  SXB_ASSIGN_OR_RETURN(SafetensorsReader reader, SafetensorsReader::open(path));
  auto shard = std::make_unique<Shard::Impl>(std::move(reader));
  for (const StateTensor& tensor : layout) {
    SXB_ASSIGN_OR_RETURN(const TensorView view, shard->reader.find(tensor.name));
    if (view.dtype != "F32" || view.bytes != tensor.numel * static_cast<std::int64_t>(sizeof(float))) {
      return checkpoint_error(fmt::format("{} has another size than this training's", tensor.name), path, "");
    }
    shard->data.push_back(view.data);
  }
  if (member_of(manifest, "hash") != Json(hash_of(layout, [&](std::size_t i) { return shard->data[i]; }))) {
    return checkpoint_error("the shard is damaged: it has another hash than its manifest says", path, "");
  }
  shard->state = member_of(manifest, "state");
  return Shard(std::move(shard));
}

void RankCheckpoints::remove(std::int64_t step) {
  std::error_code ec;
  fs::remove(impl_->manifest(step), ec);  // first: without it the shard is none
  fs::remove(impl_->shard(step), ec);
  fs::remove(impl_->folder / step_folder(step), ec);  // by the last rank: only if it is empty
}

void RankCheckpoints::remove_all() {
  for (const std::int64_t step : impl_->folders()) remove(step);
  std::error_code ec;
  fs::remove(impl_->log_file(), ec);
  fs::remove(impl_->lock_file(), ec);
  if (fs::remove(impl_->folder, ec)) fs::remove(impl_->folder.parent_path(), ec);
}

}  // namespace sxb::data
