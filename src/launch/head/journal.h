// The run folder and its journal: records.jsonl, append-only, the one thing that analysis reads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "record/kinds/run.h"

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
  Status append(const std::string& line) { return append_lines(line + "\n"); }
  /// `text` ends with a newline.
  Status append_lines(const std::string& text);
  Status sync();
  /// The same for its whole file system, in one call.
  Status sync_file_system();
  /// Whether the file still is what its path names: it may have been removed or moved.
  bool is_at_its_path() const;
  /// Copies it, removed or not, to `to`. Where it lies now, if it was moved: then nothing is copied.
  Result<std::filesystem::path> rescue(const std::filesystem::path& to) const;
  /// Nobody else may hold the lock of this file until it is closed; false if somebody does.
  bool lock();

 private:
  std::filesystem::path path_;
  int fd_ = -1;
};

class Journal {
 public:
  /// Creates `results`/<UTC>-<name>-<6 hex digits of config_hash>/ with samples/ and logs/.
  static Result<Journal> create(const std::filesystem::path& results, const std::string& name,
                                const std::string& config_hash);

  /// Goes on with the journal in `dir`, wherever its writer was stopped: what stands after the last
  /// newline is kept if it is a whole record and cut off if not. An error if another process is
  /// writing it.
  static Result<Journal> reopen(const std::filesystem::path& dir);

  /// Bytes that reopen() cut off.
  std::uintmax_t torn_bytes() const { return torn_bytes_; }

  /// Points `results`/latest at this run: once its run record is on disk, so that `latest` is always
  /// a run that can be resumed and reported.
  Status publish();

  const std::filesystem::path& dir() const { return dir_; }
  std::string run_id() const { return dir_.filename().string(); }

  /// "sample" goes to samples/<task>-<node>.jsonl, "heartbeat" nowhere, the events of "trace" to
  /// traces/<task>-rank<rank>.json, all others to records.jsonl.
  Status append(const record::Record& record);
  /// Samples as they came over the wire, each with its newline; what append() would write for them.
  Status append_samples(const std::string& task, const std::string& node, const std::string& lines);
  /// Renames the samples of earlier attempts of a task, of which none counts, to *.attempt<N>.
  Status set_aside_samples(const std::string& task, int attempt);
  /// A line of logs/<name>.log.
  Status log(const std::string& name, const std::string& line);
  /// On disk, not only in the kernel: after every task.
  Status sync();

 private:
  Journal(std::filesystem::path dir, LineFile records);
  Status write_trace(const record::Record& record);
  Status check_there() const;
  Result<LineFile*> side_file(const std::filesystem::path& path);

  std::filesystem::path dir_;
  LineFile records_;
  std::map<std::string, LineFile> side_files_;
  std::uintmax_t torn_bytes_ = 0;
};

/// What a journal says of the progress of its run.
struct JournalState {
  struct Task {
    int attempts = 0;
    bool ok = false;  ///< its last attempt has a result
    std::int64_t recorded_steps =
        0;  ///< of a training: each from 1 to this has a record, of whatever attempt
  };
  /// What the run was started with: the first one, which those of --resume repeat. None yet in a run that was
  /// stopped before it began.
  std::optional<record::Run> run;
  std::map<std::string, Task> tasks;
  /// Of every start of a task, in their order: the names of its nodes, by their places.
  std::vector<std::vector<std::string>> nodes_of_starts;
  std::int64_t damaged_lines = 0, first_damaged_line = 0;  ///< that are no records, or not as the table says
};

/// Reads `dir`/records.jsonl; lines that are no records are counted and passed over. An error if it cannot be
/// read.
Result<JournalState> read_journal(const std::filesystem::path& dir);

/// Of a training: steps 1 to this have a record in the journal in `dir`. 0 if it cannot be read.
std::int64_t recorded_steps(const std::filesystem::path& dir, const std::string& task);

/// True while a process writes the journal in `dir`.
bool is_being_written(const std::filesystem::path& dir);

}  // namespace sxb::launch
