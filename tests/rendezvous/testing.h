// A rendezvous of this process, its ranks, and connections that say whatever a test likes.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "base/secret.h"
#include "rendezvous/client.h"
#include "rendezvous/server.h"
#include "rendezvous/wire.h"

namespace sxb::rendezvous {

inline constexpr const char* kTestToken = "00112233445566778899aabbccddeeff";

inline int port_of(int socket) {
  Address address;
  address.size = sizeof address.storage;
  if (::getsockname(socket, address.generic(), &address.size) != 0) std::abort();
  return ntohs(reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_port);
}

/// At 127.0.0.1, at a port that was free.
struct Served {
  int port = 0;
  std::unique_ptr<Server> server;
};

inline Served serve(int world, std::chrono::milliseconds proof_time = std::chrono::seconds(5)) {
  Listen listen = listen_at("127.0.0.1", 0, false);
  if (listen.trouble != ListenTrouble::kNone) std::abort();
  Served served;
  served.port = port_of(listen.listening.sockets.front().fd());
  ServerOptions options;
  options.token = kTestToken;
  options.world = world;
  options.proof_time = proof_time;
  auto server = Server::start(std::move(listen.listening), options);
  if (!server.ok()) std::abort();
  served.server = *std::move(server);
  return served;
}

inline ClientOptions rank_options(int rank, int world, int port) {
  ClientOptions options;
  options.host = "127.0.0.1";
  options.port = port;
  options.token = kTestToken;
  options.rank = rank;
  options.world = world;
  options.timeout = std::chrono::seconds(60);
  return options;
}

/// A connection that says what the test tells it to; waits for nothing longer than a minute.
class Raw {
 public:
  /// `from`: an address of this machine, or the one that the kernel chooses.
  explicit Raw(int port, const std::string& address = "127.0.0.1", const std::string& from = "")
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const sockaddr_in to = v4(address, port);
    if (!from.empty()) {
      const sockaddr_in near = v4(from, 0);
      if (::bind(socket_.fd(), reinterpret_cast<const sockaddr*>(&near), sizeof near) != 0) return;
    }
    const timeval minute = {60, 0};
    ::setsockopt(socket_.fd(), SOL_SOCKET, SO_RCVTIMEO, &minute, sizeof minute);
    ::setsockopt(socket_.fd(), SOL_SOCKET, SO_SNDTIMEO, &minute, sizeof minute);
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    do {
      connected_ = ::connect(socket_.fd(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
      // Tests that connect thousands of times use up the ports until the kernel gives them back.
    } while (!connected_ && errno == EADDRNOTAVAIL && std::chrono::steady_clock::now() < give_up);
  }

  bool connected() const { return connected_; }

  /// What the other side no longer takes is dropped.
  void send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  void end_of_speech() const { ::shutdown(socket_.fd(), SHUT_WR); }

  /// `count` bytes, or fewer where the connection ends before.
  std::string read(std::size_t count) const {
    std::string bytes(count, '\0');
    std::size_t have = 0;
    while (have < count) {
      const ssize_t got = ::recv(socket_.fd(), bytes.data() + have, count - have, 0);
      if (got <= 0) break;
      have += static_cast<std::size_t>(got);
    }
    bytes.resize(have);
    return bytes;
  }
  /// What comes until the other side closes.
  std::string read_all() const {
    std::string all;
    for (std::string some; !(some = read(4096)).empty();) all += some;
    return all;
  }
  /// Whether the other side has closed it by now; what has come is dropped.
  bool closed() const {
    char buffer[4096];
    for (;;) {
      const ssize_t got = ::recv(socket_.fd(), buffer, sizeof buffer, MSG_DONTWAIT);
      if (got == 0) return true;
      if (got < 0) return errno != EAGAIN;
    }
  }

  /// As a rank does: the hello that was sent, and what the server says to it.
  std::string say_hello(int rank, int world, const std::string& token = kTestToken) {
    send(kMagic);
    nonce_ = parse_greeting(read(kGreetingBytes)).value_or("");
    hello_ = {random_bytes(kNonceBytes), static_cast<std::uint32_t>(rank), static_cast<std::uint32_t>(world),
              0};
    const std::string bytes = write_hello(token, nonce_, hello_);
    send(bytes);
    return bytes;
  }
  std::optional<Entry> welcome() const {
    return parse_welcome(kTestToken, nonce_, hello_, read(kWelcomeBytes));
  }
  /// The next answer; nothing if the connection has ended.
  std::optional<Answer> answer() {
    for (;;) {
      if (const auto frame = frames_.next()) return parse_answer(*frame);
      const std::string some = read_some();
      if (some.empty()) return std::nullopt;
      frames_.add(some);
    }
  }

 private:
  static sockaddr_in v4(const std::string& address, int port) {
    sockaddr_in socket_address = {};
    socket_address.sin_family = AF_INET;
    socket_address.sin_port = htons(static_cast<std::uint16_t>(port));
    ::inet_pton(AF_INET, address.c_str(), &socket_address.sin_addr);
    return socket_address;
  }

  std::string read_some() const {
    std::string bytes(4096, '\0');
    const ssize_t got = ::recv(socket_.fd(), bytes.data(), bytes.size(), 0);
    bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    return bytes;
  }

  Socket socket_;
  bool connected_ = false;
  std::string nonce_;
  Hello hello_;
  Frames frames_{1 << 20};
};

/// What a c10d TCPStore hears first: its magic number, a request for all keys, one to set a rank's.
inline std::string tcp_store_bytes() {
  using std::string_literals::operator""s;
  const auto text = [](const std::string& bytes) {
    std::string sized(8, '\0');
    sized[0] = static_cast<char>(bytes.size());
    return sized + bytes;
  };
  return "\0\xce\xf7\x85\x3c\x11\x01"s + text("/token/rank/3") + text("evil-build\nnode4\n10.9.9.9");
}

/// Waits for a state that comes; false if it has not after a minute.
template <typename Condition>
bool comes_true(const Condition& condition) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace sxb::rendezvous
