#include "launch/node/node_data.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/files.h"
#include "base/folder.h"
#include "base/hash.h"
#include "base/secret.h"
#include "data/packed.h"
#include "launch/node/weights.h"
#include "launch/os/give_up.h"

namespace sxb::launch {
namespace fs = std::filesystem;
namespace {

/// Holds an exclusive lock on a file; the kernel drops it when the process dies.
class FileLock {
 public:
  explicit FileLock(const fs::path& path) : fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
    if (fd_ < 0) code_ = errno;
    while (fd_ >= 0 && ::flock(fd_, LOCK_EX) != 0) {
      code_ = errno;
      if (code_ != EINTR) return;
    }
    if (fd_ >= 0) code_ = 0;
  }
  ~FileLock() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  bool held() const { return code_ == 0; }
  /// The file system has none, as NFS without lockd; nothing else is wrong.
  bool is_without_locks() const { return code_ == ENOLCK || code_ == EOPNOTSUPP || code_ == ENOSYS; }
  int code() const { return code_; }  ///< errno

 private:
  int fd_;
  int code_ = 0;
};

/// Where nobody can keep others away: prepared under a name of its own, and given the common one unless
/// somebody was faster, who has written the same bytes.
Status prepare_without_lock(data::PrepareOptions options) {
  const fs::path target = options.out;
  const std::string suffix = "." + random_token().substr(0, 8);
  options.out = target.string() + suffix;
  SXB_RETURN_IF_ERROR(data::prepare(options));
  std::error_code ec;
  fs::rename(options.out, target, ec);
  if (ec && !data::PackedDataset::open(target).ok()) {  // what is there is damaged, and whole for nobody
    const fs::path aside = target.string() + suffix + ".damaged";
    fs::rename(target, aside, ec);
    fs::rename(options.out, target, ec);
    std::error_code ignored;
    fs::remove_all(aside, ignored);
  }
  std::error_code ignored;
  fs::remove_all(options.out, ignored);
  return ok_status();  // what stands there now is looked at again
}

/// Goes into the place of prepared datasets: one that was packed by other rules is not used again.
constexpr int kPackingRules = 2;

/// `tokenizer`: the one that the dataset must be prepared with; empty = any.
Result<NodeDataset> check_prepared(const config::Model& model, const fs::path& dir,
                                   const fs::path& tokenizer) {
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
  NodeDataset found{dir, data::remarks_on(dataset.counts(), dataset.seq_len(), "training.seq_len")};
  for (data::Remark& remark : data::remarks_on_rows(dataset)) found.remarks.push_back(std::move(remark));
  return found;
}

Result<NodeDataset> make_dataset(const config::Model& model, const fs::path& data_dir) {
  SXB_ASSIGN_OR_RETURN(const config::DataFiles files, config::locate_data(model));
  if (files.kind == config::DataFiles::Kind::kSynthetic) return NodeDataset();
  if (files.kind == config::DataFiles::Kind::kPrepared)
    return check_prepared(model, absolute_path(files.dataset), files.tokenizer);
  SXB_ASSIGN_OR_RETURN(const std::string dataset_bytes, read_file(files.dataset));
  SXB_ASSIGN_OR_RETURN(const std::string tokenizer_bytes, read_file(files.tokenizer));
  const std::string key = fmt::format("{} {} {} {}", hash_hex(dataset_bytes), hash_hex(tokenizer_bytes),
                                      model.training.seq_len, kPackingRules);
  fs::path root = data_dir;
  if (root.empty()) {
    SXB_ASSIGN_OR_RETURN(const fs::path cache, usable_cache_dir());
    root = cache / "datasets";
  }
  const fs::path target = absolute_path(root / hash_hex(key));
  std::error_code ec;
  fs::create_directories(root, ec);
  const FileLock lock(target.string() + ".lock");
  if (!lock.held() && !lock.is_without_locks()) {
    return Error{fmt::format("cannot write the prepared dataset: {}", std::strerror(lock.code())),
                 root.string(),
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
    if (lock.held()) {
      SXB_RETURN_IF_ERROR(data::prepare(options));
    } else {
      SXB_RETURN_IF_ERROR(prepare_without_lock(std::move(options)));
    }
  }
  return check_prepared(model, target, files.tokenizer);
}

}  // namespace

Status check_inputs(const config::Model& model) {
  SXB_ASSIGN_OR_RETURN(const config::DataFiles files, config::locate_data(model));
  if (files.kind == config::DataFiles::Kind::kPrepared)
    SXB_RETURN_IF_ERROR(check_prepared(model, files.dataset, files.tokenizer));
  return check_weights(model);
}

Result<NodeDataset> ensure_dataset(const config::Model& model, const fs::path& data_dir,
                                   const std::function<bool()>& unwanted) {
  const auto found = unless_unwanted<Result<NodeDataset>>(
      [model, data_dir] { return make_dataset(model, data_dir); }, unwanted);
  if (found) return *found;
  return Error{"told to end while the dataset was prepared", model.data.dataset, "", ExitCode::kInterrupted};
}

void tell_remarks(const NodeDataset& dataset, Emitter& emitter) {
  for (const data::Remark& remark : dataset.remarks)
    emitter.emit_finding(remark.severity, remark.code, {remark.what, "", remark.help, ExitCode::kOk});
}

}  // namespace sxb::launch
