#include "launch/head/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "base/folder.h"
#include "record/kinds/training.h"
#include "record/typed.h"

namespace sxb::launch {
namespace fs = std::filesystem;
namespace {

Error write_error(const fs::path& path, int code) {
  return Error{
      fmt::format("cannot write the run folder: {}", std::strerror(code)), path.string(),
      code == ENOSPC || code == EDQUOT
          ? "free space on that file system or choose another with --out; what was written so far stays valid"
      : code == EFBIG
          ? "raise the limit on the size of files (ulimit -f); what was written so far stays valid"
          : "choose a folder that you may write to with --out",
      ExitCode::kEnvironment};
}

/// Ends the file with a newline: a last line without one is kept if it is a whole record. Returns the
/// number of bytes cut off.
Result<std::uintmax_t> mend_last_line(const fs::path& path) {
  SXB_ASSIGN_OR_RETURN(const std::string text, read_file(path));
  if (text.empty() || text.back() == '\n') return std::uintmax_t{0};
  const std::size_t begin = text.rfind('\n') + 1;  // npos + 1 = 0
  if (record::parse_line(std::string_view(text).substr(begin), path.string()).ok()) {
    SXB_ASSIGN_OR_RETURN(LineFile file, LineFile::open(path));
    SXB_RETURN_IF_ERROR(file.append(""));
    return std::uintmax_t{0};
  }
  if (::truncate(path.c_str(), static_cast<off_t>(begin)) != 0) return write_error(path, errno);
  return text.size() - begin;
}

}  // namespace

LineFile::~LineFile() {
  if (fd_ >= 0) ::close(fd_);
}

LineFile::LineFile(LineFile&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}

Result<LineFile> LineFile::open(const fs::path& path) {
  LineFile file;
  file.path_ = path;
  file.fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (file.fd_ < 0) return write_error(path, errno);
  return file;
}

Status LineFile::append_lines(const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = ::write(fd_, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const int code = errno;
      const off_t end = done > 0 ? ::lseek(fd_, 0, SEEK_END) : 0;
      if (done > 0 && ::ftruncate(fd_, end - static_cast<off_t>(done)) != 0) return write_error(path_, errno);
      return write_error(path_, code);
    }
    done += static_cast<std::size_t>(n);
  }
  return ok_status();
}

Status LineFile::sync() {
  // EINVAL: a device such as /dev/full or a pipe cannot be synced.
  if (::fsync(fd_) != 0 && errno != EINVAL) return write_error(path_, errno);
  return ok_status();
}

Status LineFile::sync_file_system() {
  if (::syncfs(fd_) != 0) return write_error(path_, errno);
  return ok_status();
}

bool LineFile::is_at_its_path() const { return names_open_file(path_, fd_); }

Result<fs::path> LineFile::rescue(const fs::path& to) const {
  const fs::path own = fmt::format("/proc/self/fd/{}", fd_);
  std::error_code ec;
  struct stat stat = {};
  const fs::path now = fs::read_symlink(own, ec);
  if (!ec && ::fstat(fd_, &stat) == 0 && stat.st_nlink > 0) return now;
  std::ifstream in(own, std::ios::binary);
  if (!in) return write_error(path_, ENOENT);
  SXB_RETURN_IF_ERROR(write_file_atomic(to, [&](const Append& append) {
    std::vector<char> piece(1 << 20);
    while (in.read(piece.data(), static_cast<std::streamsize>(piece.size())) || in.gcount() > 0) {
      append({piece.data(), static_cast<std::size_t>(in.gcount())});
    }
  }));
  return to;
}

bool LineFile::lock() {
  // Tried for a moment: is_being_written() of another process holds it for an instant.
  for (int i = 0; i < 10; ++i) {
    // Where a file system has no locks (NFS without lockd: ENOLCK), nobody holds one.
    if (::flock(fd_, LOCK_EX | LOCK_NB) == 0 || (errno != EWOULDBLOCK && errno != EINTR)) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return false;
}

Journal::Journal(fs::path dir, LineFile records) : dir_(std::move(dir)), records_(std::move(records)) {}

Result<Journal> Journal::create(const fs::path& results, const std::string& name,
                                const std::string& config_hash) {
  std::error_code ec;
  fs::create_directories(results, ec);
  if (ec) return write_error(results, ec.value());
  const std::string stem =
      fmt::format("{}-{}-{}", format_utc_compact(wall_ns()), name, config_hash.substr(0, 6));
  // Two runs within one second get different folders: mkdir says who was first.
  fs::path dir = results / stem;
  for (int n = 2; !fs::create_directory(dir, ec); ++n) {
    if (ec) return write_error(dir, ec.value());
    dir = results / fmt::format("{}-{}", stem, n);
  }
  for (const char* sub : {"samples", "logs"}) {
    if (!fs::create_directory(dir / sub, ec)) return write_error(dir / sub, ec.value());
  }
  SXB_ASSIGN_OR_RETURN(LineFile records, LineFile::open(dir / "records.jsonl"));
  records.lock();  // nobody else knows the folder yet
  return Journal(std::move(dir), std::move(records));
}

Result<Journal> Journal::reopen(const fs::path& path) {
  std::error_code ec;
  const fs::path dir = fs::canonical(path, ec);  // `latest` may point elsewhere tomorrow
  if (ec) return write_error(path, ec.value());
  SXB_ASSIGN_OR_RETURN(LineFile records, LineFile::open(dir / "records.jsonl"));
  if (!records.lock()) {
    return Error{"another sxbench is writing this run", dir.string(),
                 "wait until it ends, or stop it; sxbench show says how far it is", ExitCode::kEnvironment};
  }
  SXB_ASSIGN_OR_RETURN(const std::uintmax_t torn, mend_last_line(dir / "records.jsonl"));
  for (const char* sub : {"samples", "logs"}) {
    fs::create_directory(dir / sub, ec);
    if (ec) return write_error(dir / sub, ec.value());
  }
  Journal journal(dir, std::move(records));
  journal.torn_bytes_ = torn;
  return journal;
}

Status Journal::publish() {
  SXB_RETURN_IF_ERROR(records_.sync());
  return swap_symlink(dir_.parent_path() / "latest", dir_.filename());
}

Status Journal::set_aside_samples(const std::string& task, int attempt) {
  std::error_code ec;
  std::vector<fs::path> old;
  for (const fs::path& path : paths_in(dir_ / "samples", ec)) {
    if (path.filename().string().starts_with(task + "-") && path.extension() == ".jsonl") old.push_back(path);
  }
  for (const fs::path& path : old) {
    fs::rename(path, path.string() + fmt::format(".attempt{}", attempt), ec);
    if (ec) return write_error(path, ec.value());
  }
  return ok_status();
}

Result<LineFile*> Journal::side_file(const fs::path& path) {
  const auto found = side_files_.find(path.string());
  if (found != side_files_.end()) return &found->second;
  SXB_ASSIGN_OR_RETURN(LineFile file, LineFile::open(path));
  return &side_files_.emplace(path.string(), std::move(file)).first->second;
}

Status Journal::append(const record::Record& record) {
  if (record.kind == record::kind::kHeartbeat) return ok_status();
  if (record.kind == record::kind::kTrace) return write_trace(record);
  const std::string line = dump(record::to_json(record));
  if (record.kind != record::kind::kSample) {
    SXB_RETURN_IF_ERROR(check_there());
    return records_.append(line);
  }
  return append_samples(record.task, record.node, line + "\n");
}

/// Writing on into a file that nobody can find would lose the run at its end.
Status Journal::check_there() const {
  if (records_.is_at_its_path()) return ok_status();
  const fs::path to = dir_.parent_path() / (run_id() + ".records.jsonl");
  const Result<fs::path> saved = records_.rescue(to);
  return Error{
      "the run folder was removed or moved while the run wrote it", dir_.string(),
      saved.ok() ? fmt::format("what was recorded until then is {}; put it back as records.jsonl of a folder "
                               "to report on it",
                               saved->string())
                 : "what was recorded is lost: " + saved.error().what,
      ExitCode::kEnvironment};
}

Status Journal::append_samples(const std::string& task, const std::string& node, const std::string& lines) {
  SXB_ASSIGN_OR_RETURN(LineFile * file, side_file(dir_ / "samples" / fmt::format("{}-{}.jsonl", task, node)));
  return file->append_lines(lines);
}

/// A file that trace viewers open as it is. A later attempt of the task replaces it.
Status Journal::write_trace(const record::Record& record) {
  Json events = record::read<record::Trace>(record).events;
  if (!events.is_array()) events = Json::array();
  return write_file_atomic(dir_ / "traces" / fmt::format("{}-rank{}.json", record.task, record.rank),
                           dump(events) + "\n");
}

Status Journal::log(const std::string& name, const std::string& line) {
  SXB_ASSIGN_OR_RETURN(LineFile * file, side_file(dir_ / "logs" / (name + ".log")));
  return file->append(line);
}

Status Journal::sync() {
  SXB_RETURN_IF_ERROR(records_.sync());
  // A file at a time waits for the disk each time: ten seconds for the samples of a thousand nodes.
  constexpr std::size_t kFew = 16;
  if (side_files_.size() > kFew) {
    SXB_RETURN_IF_ERROR(records_.sync_file_system());
  } else {
    for (auto& [path, file] : side_files_) SXB_RETURN_IF_ERROR(file.sync());
  }
  side_files_.clear();  // the next task has other sample files: keep few descriptors open
  return ok_status();
}

Result<JournalState> read_journal(const fs::path& dir) {
  const fs::path path = dir / "records.jsonl";
  std::ifstream in(path);
  if (!in) {
    return Error{"this is no run folder: it has no records.jsonl", dir.string(),
                 "give a run folder such as results/20261121T071340Z-name-1a2b3c; sxbench list shows them"};
  }
  JournalState state;
  std::int64_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.empty()) continue;
    const Result<record::Record> record = record::parse_line(line, path.string());
    if (!record.ok() || !record::check(*record, path.string()).ok()) {
      if (state.damaged_lines++ == 0) state.first_damaged_line = number;
      continue;
    }
    // The head writes it before anything is started; whatever claims to be another is none of its.
    if (record->kind == record::kind::kRun && !state.run && record->node.empty()) {
      state.run = record::read<record::Run>(*record);
    }
    if (record->kind == record::kind::kTaskStart) {
      JournalState::Task& task = state.tasks[record->task];
      ++task.attempts;
      task.ok = false;
      state.nodes_of_starts.push_back(record::read<record::TaskStart>(*record).nodes);
    }
    if (record->kind == record::kind::kStep) {
      std::int64_t& recorded = state.tasks[record->task].recorded_steps;
      if (record::read<record::Step>(*record).step == recorded + 1) ++recorded;
    }
    if (record->kind == record::kind::kTaskEnd) {
      state.tasks[record->task].ok = record::read<record::TaskEnd>(*record).status == "ok";
    }
  }
  return state;
}

std::int64_t recorded_steps(const fs::path& dir, const std::string& task) {
  const Result<JournalState> state = read_journal(dir);
  if (!state.ok()) return 0;
  const auto found = state->tasks.find(task);
  return found == state->tasks.end() ? 0 : found->second.recorded_steps;
}

bool is_being_written(const fs::path& dir) {
  const int fd = ::open((dir / "records.jsonl").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool locked = ::flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(fd);
  return locked;
}

}  // namespace sxb::launch
