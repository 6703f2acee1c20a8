// Sends wire lines from any thread: one write per line, so that lines never mix.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "record/typed.h"

namespace sxb::launch {

/// Who the records are from.
struct Origin {
  std::string task;
  std::string node;
  int rank = -1;
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

  /// The reader is gone.
  bool broken() const;

 private:
  void stamp_and_send(record::Record record);

  const int fd_;
  const Origin origin_;
  mutable std::mutex mutex_;
  bool broken_ = false;
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

/// Next line of `fd` without its newline, read byte for byte so that nothing after it is taken;
/// an error at the end of the input.
Result<std::string> read_line(int fd, const std::string& what);

}  // namespace sxb::launch
