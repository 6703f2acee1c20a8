#include "launch/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>

#include "sxbench/base/clock.h"

namespace sxb::launch {
namespace {

/// poll() returns at least this often, so that a child whose pipes are held open by a grandchild is
/// still reaped, and that pending kills are sent.
constexpr int kTickMs = 100;
/// The same for a child that has closed its pipes, as all do just before they end.
constexpr int kEndingTickMs = 2;
/// A line without end is handed out in pieces of this size rather than eating the memory.
constexpr std::size_t kMaxLine = 4 << 20;

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
/// may have other threads.
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
  for (const int signal : {SIGPIPE, SIGINT, SIGTERM, SIGHUP}) ::signal(signal, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
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
}

ProcessSet::~ProcessSet() {
  for (auto& [id, child] : children_) {
    ::kill(-child.pid, SIGKILL);
    ::waitpid(child.pid, nullptr, 0);
    close_fd(child.stdin_fd);
    close_fd(child.out.fd);
    close_fd(child.err.fd);
  }
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
                     : "check that the file exists and may be executed",
                 ExitCode::kEnvironment};
  };
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

  Child child;
  child.pid = pid;
  child.stdin_left = spec.stdin_text;
  child.keep_stdin_open = spec.keep_stdin_open;
  std::swap(child.stdin_fd, in.write);
  std::swap(child.out.fd, out.read);
  std::swap(child.err.fd, err.read);
  close_all();
  for (const int fd : {child.stdin_fd, child.out.fd, child.err.fd}) ::fcntl(fd, F_SETFL, O_NONBLOCK);
  feed_stdin(child);
  const int id = next_id_++;
  children_.emplace(id, std::move(child));
  return id;
}

void ProcessSet::feed_stdin(Child& child) {
  while (child.stdin_fd >= 0 && !child.stdin_left.empty()) {
    const ssize_t n = ::write(child.stdin_fd, child.stdin_left.data(), child.stdin_left.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) return close_fd(child.stdin_fd);
    child.stdin_left.erase(0, static_cast<std::size_t>(n));
  }
  if (!child.keep_stdin_open) close_fd(child.stdin_fd);
}

void ProcessSet::drain(int id, Child& child, std::vector<ProcessEvent>& events) {
  for (Stream* stream : {&child.out, &child.err}) {
    const bool from_stderr = stream == &child.err;
    const auto emit = [&](std::string line) {
      events.push_back({ProcessEvent::Kind::kLine, id, from_stderr, std::move(line), {}});
    };
    char buffer[65536];
    while (stream->fd >= 0) {
      const ssize_t n = ::read(stream->fd, buffer, sizeof buffer);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) break;
      if (n <= 0) {
        close_fd(stream->fd);
        break;
      }
      std::string& text = stream->partial;
      const std::size_t old = text.size();
      text.append(buffer, static_cast<std::size_t>(n));
      std::size_t begin = 0;
      for (std::size_t end = text.find('\n', old); end != std::string::npos; end = text.find('\n', begin)) {
        emit(text.substr(begin, end - begin));
        begin = end + 1;
      }
      text.erase(0, begin);
      if (text.size() > kMaxLine) emit(std::exchange(text, ""));
    }
    if (stream->fd < 0 && !stream->partial.empty()) emit(std::exchange(stream->partial, ""));
  }
}

void ProcessSet::reap(std::vector<ProcessEvent>& events) {
  for (auto it = children_.begin(); it != children_.end();) {
    auto& [id, child] = *it;
    if (child.kill_at_ns != 0 && monotonic_ns() >= child.kill_at_ns) ::kill(-child.pid, SIGKILL);
    int status = 0;
    if (::waitpid(child.pid, &status, WNOHANG) != child.pid) {
      ++it;
      continue;
    }
    drain(id, child, events);  // all it wrote is in the pipes by now
    for (Stream* stream : {&child.out, &child.err}) {
      close_fd(stream->fd);
      if (!stream->partial.empty()) {
        events.push_back({ProcessEvent::Kind::kLine, id, stream == &child.err, stream->partial, {}});
      }
    }
    close_fd(child.stdin_fd);
    ExitStatus exit;
    if (WIFSIGNALED(status)) exit.signal = WTERMSIG(status);
    if (WIFEXITED(status)) exit.code = WEXITSTATUS(status);
    events.push_back({ProcessEvent::Kind::kExit, id, false, "", exit});
    it = children_.erase(it);
  }
}

void ProcessSet::poll(int timeout_ms, const std::function<void(const ProcessEvent&)>& handler) {
  std::vector<ProcessEvent> events;
  const std::int64_t deadline = monotonic_ns() + std::int64_t{timeout_ms} * 1'000'000;
  while (true) {
    std::vector<pollfd> fds;
    std::int64_t tick_ms = kTickMs;
    for (const auto& [id, child] : children_) {
      if (child.out.fd < 0 && child.err.fd < 0) tick_ms = kEndingTickMs;
      for (const int fd : {child.out.fd, child.err.fd}) {
        if (fd >= 0) fds.push_back({fd, POLLIN, 0});
      }
      if (child.stdin_fd >= 0 && !child.stdin_left.empty()) fds.push_back({child.stdin_fd, POLLOUT, 0});
    }
    const std::int64_t left_ms = std::max<std::int64_t>(0, (deadline - monotonic_ns()) / 1'000'000);
    const int ready = ::poll(fds.data(), fds.size(), static_cast<int>(std::min(left_ms, tick_ms)));
    const bool interrupted = ready < 0 && errno == EINTR;
    for (auto& [id, child] : children_) {
      feed_stdin(child);
      drain(id, child, events);
    }
    reap(events);
    if (!events.empty() || interrupted || left_ms == 0 || children_.empty()) break;
  }
  for (const ProcessEvent& event : events) handler(event);
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

std::string self_executable() { return std::filesystem::read_symlink("/proc/self/exe").string(); }

}  // namespace sxb::launch
