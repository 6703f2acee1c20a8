// Child processes: started without a shell, watched with poll, ended as whole process groups.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sxb::launch {

struct ProcessSpec {
  std::vector<std::string> argv;           ///< argv[0] is looked up in PATH unless it has a '/'
  std::map<std::string, std::string> env;  ///< added to (and overriding) the environment of this process
  std::string stdin_text;                  ///< written to the child's stdin
  bool keep_stdin_open = false;            ///< the child then sees EOF when this process is gone
  bool die_with_parent = false;            ///< the kernel sends SIGKILL when this process is gone
};

/// How a child ended.
struct ExitStatus {
  int code = 0;    ///< exit status if signal is 0
  int signal = 0;  ///< signal that killed it, or 0
  bool ok() const { return code == 0 && signal == 0; }
  std::string text() const;  ///< "exit code 4", "killed by signal 9 (SIGKILL)"
};

struct ProcessEvent {
  enum class Kind { kLine, kExit };
  Kind kind = Kind::kLine;
  int id = 0;                ///< as returned by start()
  bool from_stderr = false;  ///< kLine
  std::string line;          ///< kLine: without the newline; of one over 4 MiB the begin, then a word of it
  ExitStatus status;         ///< kExit; comes after every line the child wrote
};

/// The children of this process. Not thread-safe: one thread starts, polls and stops them. Children
/// still running at destruction are killed.
class ProcessSet {
 public:
  ProcessSet();
  ~ProcessSet();
  ProcessSet(const ProcessSet&) = delete;
  ProcessSet& operator=(const ProcessSet&) = delete;

  /// Starts a child as leader of its own process group; an error says why exec failed.
  Result<int> start(const ProcessSpec& spec);

  using Handler = std::function<void(const ProcessEvent&)>;
  /// Waits at most `timeout_ms` for something to happen and hands out events that are there, each as it is
  /// read: nothing of them is kept here. More may be waiting; `handler` may call anything but poll().
  void poll(int timeout_ms, const Handler& handler);

  /// Closes the child's stdin, once what it was to get is written. It is killed after `grace_ms`.
  void end_input(int id, int grace_ms);
  /// Adds to what is written to the stdin of a child that was started with keep_stdin_open.
  void write(int id, std::string_view text);
  /// SIGTERM to the child's group now, SIGKILL after `grace_ms` (sent by a later poll()).
  void stop(int id, int grace_ms);
  void stop_all(int grace_ms);
  bool running(int id) const { return children_.count(id) != 0; }
  bool empty() const { return children_.empty(); }
  pid_t pid(int id) const;  ///< -1 when it has ended

 private:
  struct Stream {
    int fd = -1;
    std::string partial;   ///< bytes after the last newline
    std::int64_t cut = 0;  ///< bytes of a line too long to be kept, after those that were handed out
  };
  struct Child {
    int id = 0;
    pid_t pid = -1;
    int stdin_fd = -1;
    std::string stdin_left;
    bool keep_stdin_open = false;
    Stream out, err;
    std::int64_t kill_at_ns = 0;  ///< 0 = no stop asked for
  };
  void feed_stdin(Child& child);
  void close_stdin(Child& child);
  void close_stream(Stream& stream);
  void take(const Child& child, Stream& stream, std::string_view bytes, const Handler& handler);
  void drain(Child& child, Stream& stream, bool to_the_end, const Handler& handler);
  void on_ready(std::uint64_t key, const Handler& handler);
  void reap(const Handler& handler);
  std::optional<ProcessEvent> reap_one(Child& child, const Handler& handler);

  std::map<int, Child> children_;
  std::set<int> ending_;       ///< ids of children that closed both pipes, as all do just before they end
  std::int64_t swept_ns_ = 0;  ///< when all children were last looked at
  int epoll_ = -1;             ///< not poll(): its cost grows with the children that have nothing to say
  int next_id_ = 1;
};

/// The program that is running, to start more of itself.
std::string self_executable();

}  // namespace sxb::launch
