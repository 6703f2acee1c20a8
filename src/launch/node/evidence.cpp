#include "launch/node/evidence.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/text.h"
#include "launch/os/give_up.h"

namespace sxb::launch {
namespace {

constexpr std::size_t kMaxAnswer = 16 << 10;
constexpr int kMaxFrames = 12;
constexpr const char* kRasAddress = "localhost:28028";

/// The value of "Name:   value" in a /proc status file.
std::string status_field(const std::filesystem::path& path, const std::string& name) {
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    if (line.rfind(name + ":", 0) == 0) return std::string(trim(line.substr(name.size() + 1)));
  }
  return "";
}

/// Function names of /proc/PID/stack, innermost first: "[<0>] futex_wait_queue+0x61/0x90".
std::vector<std::string> kernel_stack(const std::filesystem::path& path) {
  std::vector<std::string> frames;
  std::ifstream in(path);
  for (std::string line; static_cast<int>(frames.size()) < kMaxFrames && std::getline(in, line);) {
    const std::size_t begin = line.find("] ");
    if (begin == std::string::npos) continue;
    frames.push_back(line.substr(begin + 2, line.find('+', begin) - begin - 2));
  }
  return frames;
}

Error unavailable(const std::string& address, const std::string& why) {
  return Error{"NCCL RAS has no answer: " + why, address,
               "it needs NCCL 2.24 or newer, and NCCL_RAS_ENABLE not 0", ExitCode::kEnvironment};
}

/// A socket that gives up at a deadline, whatever the other end does.
class Connection {
 public:
  Connection(std::string address, std::int64_t deadline_ns)
      : address_(std::move(address)), deadline_ns_(deadline_ns) {}
  ~Connection() {
    if (fd_ >= 0) ::close(fd_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Status open() {
    const std::size_t colon = address_.rfind(':');
    std::string host = address_.substr(0, colon);
    if (host.size() > 1 && host.front() == '[') host = host.substr(1, host.size() - 2);
    addrinfo hints = {};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const std::string port = colon == std::string::npos ? "" : address_.substr(colon + 1);
    if (const int code = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found); code != 0) {
      return unavailable(address_, ::gai_strerror(code));
    }
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, ::freeaddrinfo);
    std::string why = "no address";
    for (const addrinfo* next = found; next != nullptr; next = next->ai_next) {
      if (const int code = connect_to(*next); code != 0) {
        why = std::strerror(code);
      } else {
        return ok_status();
      }
    }
    return unavailable(address_, why);
  }

  Status send(const std::string& text) {
    for (std::size_t done = 0; done < text.size();) {
      SXB_RETURN_IF_ERROR(wait(POLLOUT));
      const ssize_t n = ::send(fd_, text.data() + done, text.size() - done, MSG_NOSIGNAL);
      if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (n < 0) return unavailable(address_, std::strerror(errno));
      done += static_cast<std::size_t>(n);
    }
    return ok_status();
  }

  /// One line without its newline.
  Result<std::string> line() {
    std::size_t end = 0;
    while ((end = buffer_.find('\n')) == std::string::npos) {
      SXB_ASSIGN_OR_RETURN(const bool more, fill());
      if (!more) return unavailable(address_, "it closed the connection");
    }
    std::string line = buffer_.substr(0, end);
    buffer_.erase(0, end + 1);
    return line;
  }

  /// All that comes until the other end closes. Of an answer that breaks off, what has come, and why it is
  /// not all: half of it is better evidence than none.
  Result<std::string> rest() {
    while (buffer_.size() < kMaxAnswer) {
      const Result<bool> more = fill();
      if (!more.ok() && buffer_.empty()) return more.errors();
      if (!more.ok()) return fmt::format("{}\n(the rest is missing: {})", buffer_, more.error().what);
      if (!*more) break;
    }
    return buffer_.substr(0, kMaxAnswer);
  }

 private:
  Status wait(short events) {
    pollfd entry = {fd_, events, 0};
    while (true) {
      const std::int64_t left_ms = (deadline_ns_ - monotonic_ns()) / 1'000'000;
      if (left_ms <= 0) return unavailable(address_, "it did not answer in time");
      if (::poll(&entry, 1, static_cast<int>(std::min<std::int64_t>(left_ms, 60'000))) > 0)
        return ok_status();
    }
  }

  int connect_to(const addrinfo& to) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = ::socket(to.ai_family, to.ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, to.ai_protocol);
    if (fd_ < 0) return errno;
    if (::connect(fd_, to.ai_addr, to.ai_addrlen) == 0) return 0;
    if (errno != EINPROGRESS) return errno;
    if (!wait(POLLOUT).ok()) return ETIMEDOUT;
    int code = 0;
    socklen_t size = sizeof code;
    return ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &code, &size) == 0 ? code : errno;
  }

  /// Reads what is there; false at the end.
  Result<bool> fill() {
    char piece[4096];
    while (true) {
      SXB_RETURN_IF_ERROR(wait(POLLIN));
      const ssize_t n = ::recv(fd_, piece, sizeof piece, 0);
      if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (n < 0) return unavailable(address_, std::strerror(errno));
      buffer_.append(piece, static_cast<std::size_t>(n));
      return n > 0;
    }
  }

  const std::string address_;
  const std::int64_t deadline_ns_;
  int fd_ = -1;
  std::string buffer_;
};

}  // namespace

std::string describe_process(pid_t pid, const std::filesystem::path& proc) {
  const std::filesystem::path dir = proc / std::to_string(pid);
  const std::string state = status_field(dir / "status", "State");
  if (state.empty()) return "gone";
  std::string text = "state " + state;
  std::string channel;
  std::ifstream(dir / "wchan") >> channel;
  if (!channel.empty() && channel != "0") text += ", waits in " + channel;
  if (const std::string threads = status_field(dir / "status", "Threads"); !threads.empty()) {
    text += fmt::format(", {} thread{}", threads, threads == "1" ? "" : "s");
  }
  if (const std::vector<std::string> frames = kernel_stack(dir / "stack"); !frames.empty()) {
    text += "; kernel stack: " + join(frames, " < ");
  }
  return text;
}

Result<std::string> ask_nccl_ras(const std::string& address, std::int64_t timeout_ns) {
  const std::string target = address.empty() ? kRasAddress : address;
  Connection ras(target, monotonic_ns() + timeout_ns);
  SXB_RETURN_IF_ERROR(ras.open());
  SXB_RETURN_IF_ERROR(ras.send("CLIENT PROTOCOL 2\n"));
  SXB_ASSIGN_OR_RETURN(const std::string greeting, ras.line());
  if (greeting.rfind("SERVER PROTOCOL ", 0) != 0) {
    return unavailable(target, "what listens there is no RAS service");
  }
  // How long this node's service waits for those of the others; its answer must come before ours.
  const std::int64_t seconds = std::max<std::int64_t>(1, timeout_ns / 2'000'000'000);
  SXB_RETURN_IF_ERROR(ras.send(fmt::format("TIMEOUT {}\n", seconds)));
  SXB_ASSIGN_OR_RETURN(const std::string answer, ras.line());
  if (answer != "OK") return unavailable(target, "it refused a timeout: " + answer);
  SXB_RETURN_IF_ERROR(ras.send("VERBOSE STATUS\n"));
  return ras.rest();
}

std::optional<metrics::GpuFault> find_lost_gpu(const AgentTask& task, const Meanwhile& meanwhile) {
  using Fault = std::optional<metrics::GpuFault>;
  if (!task.ranks.front().cuda) return std::nullopt;
  const auto fault = ask_beside<Fault>(
      [node = task.node, gpus = task.gpus] { return metrics::find_gpu_fault(node, gpus, false); },
      std::chrono::seconds(3), meanwhile);
  return fault && *fault && (*fault)->code == "gpu_lost" ? *fault : std::nullopt;
}

std::optional<Error> nccl_ras_evidence(const AgentTask& task, const Meanwhile& meanwhile) {
  const auto set = task.env.find("NCCL_RAS_ADDR");
  const std::string address = set == task.env.end() ? "" : set->second;
  const std::int64_t patience_ns = to_ns(task.timeouts.evidence_s);
  const auto ras =
      ask_beside<Result<std::string>>([address, patience_ns] { return ask_nccl_ras(address, patience_ns); },
                                      std::chrono::milliseconds(patience_ns / 1'000'000 + 1000), meanwhile);
  if (!ras) return std::nullopt;
  if (!ras->ok()) return ras->error();
  return Error{"NCCL RAS on node " + task.node + " says:\n" + **ras, "", "", {}};
}

}  // namespace sxb::launch
