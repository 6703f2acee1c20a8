#include "rendezvous/client.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <thread>
#include <utility>

#include "base/secret.h"

namespace sxb::rendezvous {
namespace {

using std::chrono::milliseconds;
using Steady = std::chrono::steady_clock;

/// For one attempt: a packet may have been lost, or the server may have had no room.
constexpr milliseconds kAttempt{10'000};
constexpr milliseconds kFirstPause{10}, kLongestPause{500};

/// False when the deadline has passed.
bool wait_for(int fd, short events, Steady::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - Steady::now()).count();
    pollfd one = {fd, events, 0};
    const int ready = ::poll(&one, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000)));
    if (ready > 0) return true;
    if (left <= 0) return false;
  }
}

/// "" or why not. The socket does not block.
std::string send_all(int fd, std::string_view bytes, Steady::time_point deadline) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      if (!wait_for(fd, POLLOUT, deadline)) return "it takes no more";
    } else if (errno != EINTR) {
      return std::strerror(errno);
    }
  }
  return "";
}

/// Exactly `count` bytes, or fewer and why.
std::string receive(int fd, std::size_t count, std::string& bytes, Steady::time_point deadline) {
  bytes.clear();
  std::array<char, 256> buffer;
  while (bytes.size() < count) {
    const ssize_t got = ::recv(fd, buffer.data(), std::min(buffer.size(), count - bytes.size()), 0);
    if (got > 0) {
      bytes.append(buffer.data(), static_cast<std::size_t>(got));
    } else if (got == 0) {
      return "it closed the connection before it answered";
    } else if (errno == EAGAIN) {
      if (!wait_for(fd, POLLIN, deadline)) return "it accepted the connection and did not answer";
    } else if (errno != EINTR) {
      return std::strerror(errno);
    }
  }
  return "";
}

/// Where nobody listens yet, the kernel may take the very port for the near end: a connection to oneself.
bool is_own_end(int fd) {
  Address near, far;
  near.size = far.size = sizeof near.storage;
  return ::getsockname(fd, near.generic(), &near.size) == 0 &&
         ::getpeername(fd, far.generic(), &far.size) == 0 && near.size == far.size &&
         std::memcmp(&near.storage, &far.storage, near.size) == 0;
}

/// 0, or errno.
int open_connection(const Address& address, Steady::time_point deadline, Socket& socket) {
  socket = Socket(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return errno;
  const int yes = 1;  // such a connection must not keep rank 0 from the port
  ::setsockopt(socket.fd(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (::connect(socket.fd(), address.generic(), address.size) == 0) {
    return is_own_end(socket.fd()) ? ECONNREFUSED : 0;
  }
  if (errno != EINPROGRESS && errno != EINTR) return errno;
  if (!wait_for(socket.fd(), POLLOUT, deadline)) return ETIMEDOUT;
  int code = 0;
  socklen_t size = sizeof code;
  if (::getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &code, &size) != 0) return errno;
  return code == 0 && is_own_end(socket.fd()) ? ECONNREFUSED : code;
}

/// Nothing on this machine leads there; waiting changes nothing.
bool is_no_route(int code) { return code == ENETUNREACH || code == EADDRNOTAVAIL || code == EAFNOSUPPORT; }

ConnectTrouble trouble_of(Entry entry) {
  switch (entry) {
    case Entry::kAdmitted:
      return ConnectTrouble::kNone;
    case Entry::kRankTaken:
      return ConnectTrouble::kRankTaken;
    case Entry::kNoSuchRank:
      return ConnectTrouble::kNoSuchRank;
    case Entry::kWrongProof:
      break;
  }
  return ConnectTrouble::kNotOurs;
}

/// kNoAnswer: to be tried again.
ConnectTrouble prove(int fd, const ClientOptions& options, std::uint32_t tries, Steady::time_point deadline,
                     std::string& reason) {
  std::string bytes;
  reason = send_all(fd, kMagic, deadline);
  if (!reason.empty()) return ConnectTrouble::kNoAnswer;
  reason = receive(fd, kGreetingBytes, bytes, deadline);
  // Also of less than a greeting one sees that it is none: an answer in another protocol is often short.
  const std::size_t known = std::min(bytes.size(), kMagic.size());
  if (bytes.substr(0, known) != kMagic.substr(0, known)) return ConnectTrouble::kNotOurs;
  if (!reason.empty()) return ConnectTrouble::kNoAnswer;
  const std::optional<std::string> nonce = parse_greeting(bytes);
  if (!nonce) return ConnectTrouble::kNotOurs;
  const Hello hello{random_bytes(kNonceBytes), static_cast<std::uint32_t>(options.rank),
                    static_cast<std::uint32_t>(options.world), tries};
  reason = send_all(fd, write_hello(options.token, *nonce, hello), deadline);
  if (reason.empty()) reason = receive(fd, kWelcomeBytes, bytes, deadline);
  if (!reason.empty()) return ConnectTrouble::kNoAnswer;
  const std::optional<Entry> entry = parse_welcome(options.token, *nonce, hello, bytes);
  return entry ? trouble_of(*entry) : ConnectTrouble::kNotOurs;
}

}  // namespace

Client::Client(Socket socket, int world)
    : socket_(std::move(socket)), limits_(limits_for(world)), frames_(limits_.answer_bytes) {
  tune(socket_.fd());
}

Connected Client::connect(const ClientOptions& options) {
  const auto deadline = Steady::now() + options.timeout;
  const Result<std::vector<Address>> addresses = resolve(options.host, options.port);
  if (!addresses.ok()) return {ConnectTrouble::kName, addresses.error().what, nullptr};
  milliseconds pause = kFirstPause;
  std::uint32_t tries = 0;
  for (;;) {
    std::string reason;
    bool hopeless = true;
    for (const Address& address : *addresses) {
      const auto until = std::min(deadline, Steady::now() + kAttempt);
      Socket socket;
      const int code = open_connection(address, until, socket);
      if (code != 0) {
        hopeless = hopeless && is_no_route(code);
        reason = std::strerror(code);
        continue;
      }
      hopeless = false;
      const ConnectTrouble trouble = prove(socket.fd(), options, tries, until, reason);
      if (trouble == ConnectTrouble::kNone) {
        return {trouble, "", std::unique_ptr<Client>(new Client(std::move(socket), options.world))};
      }
      if (trouble != ConnectTrouble::kNoAnswer) return {trouble, reason, nullptr};
      ++tries;
    }
    if (hopeless) return {ConnectTrouble::kNoRoute, reason, nullptr};
    std::this_thread::sleep_until(std::min(deadline, Steady::now() + pause));
    if (Steady::now() >= deadline) return {ConnectTrouble::kNoAnswer, reason, nullptr};
    pause = std::min(2 * pause, kLongestPause);
  }
}

Outcome Client::lost(const std::string& reason) {
  if (lost_.empty()) lost_ = reason;
  socket_ = Socket();
  return {Ended::kLost, Code::kOk, lost_};
}

Outcome Client::ask(Verb verb, const std::vector<std::string>& keys, const std::string& value,
                    milliseconds timeout) {
  if (!socket_) return lost("");
  const auto deadline = Steady::now() + timeout;
  const std::uint32_t id = ++last_id_;
  // Half a request would make the rest of the stream unreadable: it goes out or the connection ends.
  if (const std::string reason = send_all(socket_.fd(), write_request({id, verb, keys, value}), deadline);
      !reason.empty())
    return lost(reason);
  std::array<char, 16 << 10> buffer;
  for (;;) {
    while (const std::optional<std::string_view> frame = frames_.next()) {
      std::optional<Answer> answer = parse_answer(*frame);
      if (!answer || answer->code == Code::kMalformed) return lost("it does not understand this rank");
      // One of an earlier request, which this rank had given up, may come first.
      if (answer->id == id) return {Ended::kAnswered, answer->code, std::move(answer->value)};
    }
    if (frames_.broken()) return lost("it sent what is no answer");
    const ssize_t got = ::recv(socket_.fd(), buffer.data(), buffer.size(), 0);
    if (got > 0) {
      frames_.add({buffer.data(), static_cast<std::size_t>(got)});
    } else if (got == 0) {
      return lost("it closed the connection");
    } else if (errno == EAGAIN) {
      if (!wait_for(socket_.fd(), POLLIN, deadline)) return {Ended::kTimeout, Code::kOk, ""};
    } else if (errno != EINTR) {
      return lost(std::strerror(errno));
    }
  }
}

void Client::arrive(const std::string& meeting) {
  if (!socket_) return;
  const std::string request = write_request({++last_id_, Verb::kArrive, {meeting}, ""});
  const std::string reason = send_all(socket_.fd(), request, Steady::now() + kAttempt);
  if (!reason.empty()) lost(reason);
}

}  // namespace sxb::rendezvous
