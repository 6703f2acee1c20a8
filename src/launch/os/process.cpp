#include "launch/os/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/clock.h"
#include "base/files.h"

namespace sxb::launch {
namespace {

/// All children are looked at this often, so that one whose pipes are held open by a grandchild is
/// still reaped, and that pending kills are sent.
constexpr int kTickMs = 100;
/// The same for a child that has closed its pipes, as all do just before they end.
constexpr int kEndingTickMs = 2;
/// Which descriptor of a child is ready, in the low bits of epoll's key.
enum Port : std::uint64_t { kOut, kErr, kIn, kPorts };
/// Of a line without end this much is handed out, rather than eating the memory and the disk of logs.
constexpr std::size_t kMaxLine = 4 << 20;
/// Streams read in one poll(), of up to a pipe of 64 KiB each: what the caller may have to hold. epoll
/// hands out the others next time, in turn.
constexpr std::size_t kReadyAtOnce = 64;

struct Pipe {
  int read = -1, write = -1;
  bool open() {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) != 0) return false;
    read = fds[0];
    write = fds[1];
    return true;
  }
  void close() {
    if (read >= 0) ::close(read);
    if (write >= 0) ::close(write);
    read = write = -1;
  }
};

void close_fd(int& fd) {
  if (fd >= 0) ::close(fd);
  fd = -1;
}

/// A node takes five descriptors (three pipes, two files of the run folder), and many a login allows
/// 1,024. Raised once to what the system allows; returns what it was, which children get back because some
/// programs still call select().
const rlimit& raise_open_files() {
  static const rlimit before = [] {
    rlimit limit = {};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    rlimit raised = limit;
    raised.rlim_cur = raised.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &raised);
    return limit;
  }();
  return before;
}

std::uint64_t key_of(int id, Port port) { return static_cast<std::uint64_t>(id) * kPorts + port; }

std::vector<std::string> merged_environment(const std::map<std::string, std::string>& added) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (added.count(text.substr(0, text.find('='))) == 0) result.push_back(text);
  }
  for (const auto& [name, value] : added) result.push_back(name + "=" + value);
  return result;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (std::string& s : strings) result.push_back(s.data());
  result.push_back(nullptr);
  return result;
}

/// What the child does between fork and exec: only async-signal-safe calls, because this process
/// may have other threads. posix_spawn() has group, signals and descriptors, but neither the signal that a
/// rank gets when its agent dies (PR_SET_PDEATHSIG) nor the limit of open files.
[[noreturn]] void become_child(const ProcessSpec& spec, char* const* argv, char* const* envp, pid_t parent,
                               const Pipe& in, const Pipe& out, const Pipe& err, const Pipe& status) {
  ::setpgid(0, 0);
  if (spec.die_with_parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);  // it died before the prctl
  }
  ::dup2(in.read, STDIN_FILENO);
  ::dup2(out.write, STDOUT_FILENO);
  ::dup2(err.write, STDERR_FILENO);
  // What this process ignores for itself; SIGHUP is ignored only where it was inherited so (nohup), and
  // stays.
  for (const int signal : {SIGPIPE, SIGXFSZ, SIGINT, SIGTERM}) ::signal(signal, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::setrlimit(RLIMIT_NOFILE, &raise_open_files());  // called before: the constructor did
  ::execvpe(argv[0], argv, envp);
  const int code = errno;
  const ssize_t written = ::write(status.write, &code, sizeof code);
  ::_exit(written == sizeof code ? 127 : 126);
}

/// errno of a failed exec, 0 once exec has closed the pipe.
int exec_error(int fd) {
  int code = 0;
  ssize_t n = 0;
  do {
    n = ::read(fd, &code, sizeof code);
  } while (n < 0 && errno == EINTR);
  return n == sizeof code ? code : 0;
}

}  // namespace

std::string ExitStatus::text() const {
  if (signal == 0) return fmt::format("exit code {}", code);
  const char* name = ::sigabbrev_np(signal);
  return fmt::format("killed by signal {} (SIG{})", signal, name != nullptr ? name : "?");
}

ProcessSet::ProcessSet() {
  // A child that is gone shows as EPIPE on its stdin, not as the end of this process.
  ::signal(SIGPIPE, SIG_IGN);
  raise_open_files();
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
}

ProcessSet::~ProcessSet() {
  for (auto& [id, child] : children_) {
    ::kill(-child.pid, SIGKILL);
    ::waitpid(child.pid, nullptr, 0);
    close_fd(child.stdin_fd);
    close_fd(child.out.fd);
    close_fd(child.err.fd);
  }
  close_fd(epoll_);
}

Result<int> ProcessSet::start(const ProcessSpec& spec) {
  if (spec.argv.empty()) panic(__FILE__, __LINE__, "a process needs an argv");
  std::vector<std::string> arguments = spec.argv;
  std::vector<std::string> environment = merged_environment(spec.env);
  const std::vector<char*> argv = pointers(arguments);
  const std::vector<char*> envp = pointers(environment);
  Pipe in, out, err, status;
  const auto close_all = [&] {
    for (Pipe* pipe : {&in, &out, &err, &status}) pipe->close();
  };
  const auto failed = [&](int code) {
    close_all();
    return Error{fmt::format("cannot start the program: {}", std::strerror(code)), spec.argv[0],
                 code == EMFILE || code == EAGAIN
                     ? "raise the limits on processes and open files (ulimit -u -n)"
                     : "install it on this machine, or check that the file may be executed",
                 ExitCode::kEnvironment};
  };
  if (epoll_ < 0) return failed(EMFILE);
  if (!in.open() || !out.open() || !err.open() || !status.open()) return failed(errno);

  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return failed(errno);
  if (pid == 0) become_child(spec, argv.data(), envp.data(), parent, in, out, err, status);
  ::setpgid(pid, pid);  // here too: a stop() right now must reach the group
  close_fd(status.write);
  if (const int code = exec_error(status.read); code != 0) {
    ::waitpid(pid, nullptr, 0);
    return failed(code);
  }

  const int id = next_id_++;
  Child& child = children_[id];
  child.id = id;
  child.pid = pid;
  child.stdin_left = spec.stdin_text;
  child.keep_stdin_open = spec.keep_stdin_open;
  std::swap(child.stdin_fd, in.write);
  std::swap(child.out.fd, out.read);
  std::swap(child.err.fd, err.read);
  close_all();
  for (const int fd : {child.stdin_fd, child.out.fd, child.err.fd}) ::fcntl(fd, F_SETFL, O_NONBLOCK);
  for (const auto& [fd, port] : {std::pair{child.out.fd, kOut}, {child.err.fd, kErr}}) {
    epoll_event interest = {EPOLLIN, {.u64 = key_of(id, port)}};
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &interest);
  }
  feed_stdin(child);
  return id;
}

void ProcessSet::feed_stdin(Child& child) {
  while (child.stdin_fd >= 0 && !child.stdin_left.empty()) {
    const ssize_t n = ::write(child.stdin_fd, child.stdin_left.data(), child.stdin_left.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) {
      epoll_event interest = {EPOLLOUT, {.u64 = key_of(child.id, kIn)}};
      ::epoll_ctl(epoll_, EPOLL_CTL_ADD, child.stdin_fd, &interest);  // EEXIST: it waits already
      return;
    }
    if (n < 0) return close_stdin(child);
    child.stdin_left.erase(0, static_cast<std::size_t>(n));
  }
  child.stdin_left = {};  // its memory too: each of a thousand nodes was told a task
  if (child.stdin_fd < 0) return;
  if (!child.keep_stdin_open) return close_stdin(child);
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, child.stdin_fd, nullptr);  // ENOENT: it never waited
}

/// Leaving epoll by hand: a fork in another thread may still hold a copy of the descriptor.
void ProcessSet::close_stdin(Child& child) {
  if (child.stdin_fd < 0) return;
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, child.stdin_fd, nullptr);
  close_fd(child.stdin_fd);
}

void ProcessSet::close_stream(Stream& stream) {
  if (stream.fd < 0) return;
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, stream.fd, nullptr);
  close_fd(stream.fd);
}

/// Hands out the lines in `bytes` and keeps what follows the last newline.
void ProcessSet::take(const Child& child, Stream& stream, std::string_view bytes, const Handler& handler) {
  ProcessEvent event = {ProcessEvent::Kind::kLine, child.id, &stream == &child.err, "", {}};
  // Given back rather than cleared: a thousand nodes would each keep the memory of their longest backlog.
  const auto emit_partial = [&] {
    event.line = std::exchange(stream.partial, {});
    handler(event);
  };
  for (std::size_t end = bytes.find('\n'); end != std::string_view::npos; end = bytes.find('\n')) {
    if (stream.cut > 0) {
      const std::int64_t cut = std::exchange(stream.cut, 0) + static_cast<std::int64_t>(end);
      event.line = fmt::format("sxbench left out {} more bytes of this line", cut);
      handler(event);
    } else if (stream.partial.empty()) {
      event.line = bytes.substr(0, end);
      handler(event);
    } else {
      stream.partial.append(bytes.substr(0, end));
      emit_partial();
    }
    bytes.remove_prefix(end + 1);
  }
  if (stream.cut > 0) {
    stream.cut += static_cast<std::int64_t>(bytes.size());
    return;
  }
  stream.partial.append(bytes);
  if (stream.partial.size() <= kMaxLine) return;
  stream.cut = static_cast<std::int64_t>(stream.partial.size() - kMaxLine);
  stream.partial.resize(kMaxLine);
  emit_partial();
}

/// Reads once, or, if the child has ended, until nothing is left. epoll reports what remains, so that a
/// child that writes without end does not keep the others waiting.
void ProcessSet::drain(Child& child, Stream& stream, bool to_the_end, const Handler& handler) {
  char buffer[65536];
  while (stream.fd >= 0) {
    const ssize_t n = ::read(stream.fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) break;
    if (n <= 0) {
      close_stream(stream);
      break;
    }
    take(child, stream, {buffer, static_cast<std::size_t>(n)}, handler);
    if (!to_the_end) return;
  }
  if (to_the_end) close_stream(stream);
  if (stream.fd < 0 && (!stream.partial.empty() || stream.cut > 0)) take(child, stream, "\n", handler);
}

void ProcessSet::on_ready(std::uint64_t key, const Handler& handler) {
  const auto it = children_.find(static_cast<int>(key / kPorts));
  if (it == children_.end()) return;
  Child& child = it->second;
  const std::uint64_t port = key % kPorts;
  if (port == kIn) return feed_stdin(child);
  drain(child, port == kOut ? child.out : child.err, false, handler);
  if (child.out.fd < 0 && child.err.fd < 0) ending_.insert(child.id);
}

/// How the child ended, once its last lines are handed out; none while it runs.
std::optional<ProcessEvent> ProcessSet::reap_one(Child& child, const Handler& handler) {
  int status = 0;
  if (::waitpid(child.pid, &status, WNOHANG) != child.pid) return std::nullopt;
  for (Stream* stream : {&child.out, &child.err})
    drain(child, *stream, true, handler);  // all it wrote is there
  close_stdin(child);
  ExitStatus exit;
  if (WIFSIGNALED(status)) exit.signal = WTERMSIG(status);
  if (WIFEXITED(status)) exit.code = WEXITSTATUS(status);
  return ProcessEvent{ProcessEvent::Kind::kExit, child.id, false, "", exit};
}

void ProcessSet::reap(const Handler& handler) {
  for (auto it = ending_.begin(); it != ending_.end();) {
    const auto child = children_.find(*it);
    const bool known = child != children_.end();
    const auto exit = known ? reap_one(child->second, handler) : std::nullopt;
    if (exit) children_.erase(child);
    it = exit || !known ? ending_.erase(it) : std::next(it);
    if (exit) handler(*exit);
  }
  const std::int64_t now = monotonic_ns();
  if (now - swept_ns_ < std::int64_t{kTickMs} * 1'000'000) return;
  swept_ns_ = now;
  for (auto it = children_.begin(); it != children_.end();) {
    Child& child = it->second;
    if (child.kill_at_ns != 0 && now >= child.kill_at_ns) ::kill(-child.pid, SIGKILL);
    const auto exit = reap_one(child, handler);
    it = exit ? children_.erase(it) : std::next(it);
    if (exit) handler(*exit);
  }
}

void ProcessSet::poll(int timeout_ms, const Handler& handler) {
  bool something = false;
  const Handler hand_out = [&](const ProcessEvent& event) {
    something = true;
    handler(event);
  };
  const std::int64_t deadline = monotonic_ns() + std::int64_t{timeout_ms} * 1'000'000;
  while (true) {
    const std::int64_t left_ms = std::max<std::int64_t>(0, (deadline - monotonic_ns()) / 1'000'000);
    const std::int64_t tick_ms = ending_.empty() ? kTickMs : kEndingTickMs;
    std::array<epoll_event, kReadyAtOnce> ready;
    const int count = ::epoll_wait(epoll_, ready.data(), static_cast<int>(ready.size()),
                                   static_cast<int>(std::min(left_ms, tick_ms)));
    const bool interrupted = count < 0 && errno == EINTR;
    for (int i = 0; i < count; ++i) on_ready(ready[static_cast<std::size_t>(i)].data.u64, hand_out);
    reap(hand_out);
    if (something || interrupted || left_ms == 0 || children_.empty()) return;
  }
}

void ProcessSet::end_input(int id, int grace_ms) {
  const auto it = children_.find(id);
  if (it == children_.end()) return;
  Child& child = it->second;
  child.keep_stdin_open = false;
  feed_stdin(child);
  const std::int64_t kill_at = monotonic_ns() + std::int64_t{grace_ms} * 1'000'000;
  child.kill_at_ns = child.kill_at_ns == 0 ? kill_at : std::min(child.kill_at_ns, kill_at);
}

void ProcessSet::write(int id, std::string_view text) {
  const auto it = children_.find(id);
  if (it == children_.end() || it->second.stdin_fd < 0) return;
  it->second.stdin_left += text;
  feed_stdin(it->second);
}

void ProcessSet::stop(int id, int grace_ms) {
  const auto it = children_.find(id);
  if (it == children_.end()) return;
  const std::int64_t kill_at = monotonic_ns() + std::int64_t{grace_ms} * 1'000'000;
  Child& child = it->second;
  if (child.kill_at_ns == 0) {
    ::kill(-child.pid, grace_ms > 0 ? SIGTERM : SIGKILL);
    ::kill(-child.pid, SIGCONT);  // a stopped process takes SIGTERM only once it runs
  }
  child.kill_at_ns = child.kill_at_ns == 0 ? kill_at : std::min(child.kill_at_ns, kill_at);
}

void ProcessSet::stop_all(int grace_ms) {
  for (const auto& [id, child] : children_) stop(id, grace_ms);
}

pid_t ProcessSet::pid(int id) const {
  const auto it = children_.find(id);
  return it == children_.end() ? -1 : it->second.pid;
}

std::string self_executable() {
  std::error_code ec;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", ec);
  return ec ? (executable_dir() / "sxbench").string() : self.string();  // /proc is hidden
}

}  // namespace sxb::launch
