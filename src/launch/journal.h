// The run folder and its journal: records.jsonl, append-only, the one thing that analysis reads.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "sxbench/base/result.h"
#include "sxbench/record/record.h"

namespace sxb::launch {

/// An append-only file of whole lines. After a failed write (disk full) it cuts off the part of the
/// line that got through, so what is there stays valid.
class LineFile {
 public:
  LineFile() = default;
  ~LineFile();
  LineFile(LineFile&& other) noexcept;
  LineFile& operator=(LineFile&&) = delete;

  static Result<LineFile> open(const std::filesystem::path& path);
  Status append(const std::string& line);
  Status sync();

 private:
  std::filesystem::path path_;
  int fd_ = -1;
};

class Journal {
 public:
  /// Creates `results`/<UTC>-<name>-<6 hex digits of config_hash>/ with samples/ and logs/ and
  /// points `results`/latest at it.
  static Result<Journal> create(const std::filesystem::path& results, const std::string& name,
                                const std::string& config_hash);

  const std::filesystem::path& dir() const { return dir_; }
  std::string run_id() const { return dir_.filename().string(); }

  /// "sample" goes to samples/<task>-<node>.jsonl, "heartbeat" nowhere, the events of "trace" to
  /// traces/<task>-rank<rank>.json, all others to records.jsonl.
  Status append(const record::Record& record);
  /// A line of logs/<name>.log.
  Status log(const std::string& name, const std::string& line);
  /// On disk, not only in the kernel: after every task.
  Status sync();

 private:
  Journal(std::filesystem::path dir, LineFile records);
  Status write_trace(const record::Record& record);
  Result<LineFile*> side_file(const std::filesystem::path& path);

  std::filesystem::path dir_;
  LineFile records_;
  std::map<std::string, LineFile> side_files_;
};

}  // namespace sxb::launch
