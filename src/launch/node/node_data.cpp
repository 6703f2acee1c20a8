#include "launch/node/node_data.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/files.h"
#include "base/hash.h"
#include "data/packed.h"
#include "launch/node/weights.h"

namespace sxb::launch {
namespace fs = std::filesystem;
namespace {

/// Holds an exclusive lock on a file; the kernel drops it when the process dies.
class FileLock {
 public:
  explicit FileLock(const fs::path& path) : fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
    while (fd_ >= 0 && ::flock(fd_, LOCK_EX) != 0 && errno == EINTR) {
    }
  }
  ~FileLock() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  bool held() const { return fd_ >= 0; }

 private:
  int fd_;
};

/// `tokenizer`: the one that the dataset must be prepared with; empty = any.
Status check_prepared(const config::Model& model, const fs::path& dir, const fs::path& tokenizer) {
  SXB_ASSIGN_OR_RETURN(const data::PackedDataset dataset, data::PackedDataset::open(dir));
  if (!tokenizer.empty()) {
    SXB_ASSIGN_OR_RETURN(const std::string bytes, read_file(tokenizer));
    if (hash_hex(bytes) != dataset.tokenizer_hash()) {
      return Error{fmt::format("the dataset was prepared with another tokenizer than {}: its ids mean "
                               "other text to model {}",
                               tokenizer.string(), model.name),
                   dir.string(),
                   fmt::format("prepare it again: sxbench data prepare --dataset X --tokenizer {} --seq-len "
                               "{} --out DIR",
                               tokenizer.string(), model.training.seq_len)};
    }
  }
  if (dataset.vocab() > model.arch.vocab) {
    return Error{
        fmt::format("the tokenizer of the dataset has {} ids, model {} has {}", dataset.vocab(), model.name,
                    model.arch.vocab),
        dir.string(),
        fmt::format("use the model's own tokenizer (--set data.tokenizer=FILE) or --set arch.vocab={}",
                    dataset.vocab())};
  }
  if (dataset.seq_len() != model.training.seq_len) {
    return Error{
        fmt::format("the dataset is packed for {} tokens, model {} trains on {}", dataset.seq_len(),
                    model.name, model.training.seq_len),
        dir.string(),
        fmt::format("prepare it again: sxbench data prepare ... --seq-len {}", model.training.seq_len)};
  }
  return ok_status();
}

}  // namespace

Status check_inputs(const config::Model& model) {
  SXB_ASSIGN_OR_RETURN(const config::DataFiles files, config::locate_data(model));
  if (files.kind == config::DataFiles::Kind::kPrepared)
    SXB_RETURN_IF_ERROR(check_prepared(model, files.dataset, files.tokenizer));
  return check_weights(model);
}

Result<fs::path> ensure_dataset(const config::Model& model, const fs::path& data_dir) {
  SXB_ASSIGN_OR_RETURN(const config::DataFiles files, config::locate_data(model));
  if (files.kind == config::DataFiles::Kind::kSynthetic) return fs::path();
  if (files.kind == config::DataFiles::Kind::kPrepared) {
    SXB_RETURN_IF_ERROR(check_prepared(model, files.dataset, files.tokenizer));
    return fs::absolute(files.dataset);
  }
  SXB_ASSIGN_OR_RETURN(const std::string dataset_bytes, read_file(files.dataset));
  SXB_ASSIGN_OR_RETURN(const std::string tokenizer_bytes, read_file(files.tokenizer));
  const std::string key =
      fmt::format("{} {} {}", hash_hex(dataset_bytes), hash_hex(tokenizer_bytes), model.training.seq_len);
  fs::path root = data_dir;
  if (root.empty()) {
    SXB_ASSIGN_OR_RETURN(const fs::path cache, usable_cache_dir());
    root = cache / "datasets";
  }
  const fs::path target = fs::absolute(root / hash_hex(key));
  std::error_code ec;
  fs::create_directories(root, ec);
  const FileLock lock(target.string() + ".lock");
  if (!lock.held()) {
    return Error{fmt::format("cannot write the prepared dataset: {}", std::strerror(errno)), root.string(),
                 "set paths.data of the cluster config, or SXBENCH_CACHE, to a folder that you may write to",
                 ExitCode::kEnvironment};
  }
  // What is there and whole is used again; what is damaged is written anew.
  if (!fs::is_directory(target, ec) || !data::PackedDataset::open(target).ok()) {
    data::PrepareOptions options;
    options.dataset = files.dataset;
    options.tokenizer = files.tokenizer;
    options.name = files.name;
    options.out = target;
    options.seq_len = model.training.seq_len;
    SXB_RETURN_IF_ERROR(data::prepare(options));
  }
  SXB_RETURN_IF_ERROR(check_prepared(model, target, files.tokenizer));
  return target;
}

}  // namespace sxb::launch
