// Sends wire lines from any thread: one write per line, so that lines never mix.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <string>
#include <thread>

#include "base/hash.h"
#include "record/kinds/run.h"
#include "record/typed.h"

namespace sxb::launch {

/// Who the records are from, and what marks them as its.
struct Origin {
  std::string task;
  std::string node;
  int rank = -1;
  std::string nonce;  ///< record/record.h
};

class Emitter {
 public:
  /// Writes to `fd` (not owned).
  Emitter(int fd, Origin origin) : fd_(fd), origin_(std::move(origin)) {}

  /// Stamps origin and both clocks on the fields of a record and sends it.
  template <typename T>
  void emit(const T& fields) {
    emit(T::kKind, record::write(fields));
  }
  void emit(const std::string& kind, Json data);
  /// A finding; `rank` names a rank other than the origin's.
  void emit_finding(const char* severity, const std::string& code, const Error& error, int rank = -1);
  void emit_error(const std::string& code, const Error& error, int rank = -1) {
    emit_finding("error", code, error, rank);
  }
  /// Sends a line that already is one.
  void send(const std::string& line);
  /// The last record: it proves that whoever reads has read all that came before. What any thread sends
  /// afterwards is dropped.
  void end(record::RankEnd fields) { end_with(fields); }
  void end(record::AgentEnd fields) { end_with(fields); }

  /// The reader is gone.
  bool broken() const;

 private:
  template <typename T>
  void end_with(T fields);
  record::Record stamped(record::Record record) const;
  void write_line(const std::string& line);

  const int fd_;
  const Origin origin_;
  mutable std::mutex mutex_;
  LineHash sent_;
  bool broken_ = false, ended_ = false;
};

/// Sends a heartbeat record at once and then every second, in its own thread: this process is alive
/// also while its main thread computes.
class Heartbeat {
 public:
  explicit Heartbeat(Emitter& emitter);
  ~Heartbeat();
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  bool done_ = false;
  std::thread thread_;
};

/// More than the tasks of the largest cluster take.
inline constexpr std::size_t kMostInputBytes = std::size_t{256} << 20;

struct InputLine {
  std::string text;   ///< without its newline
  bool more = false;  ///< something came right behind it, and was dropped: a head's signs of life
};

/// The next line of `fd`. An error at the end of the input, of a line that is longer than `most`, and when
/// this process is told to end.
Result<InputLine> read_line(int fd, const std::string& what, std::size_t most = kMostInputBytes);

}  // namespace sxb::launch
