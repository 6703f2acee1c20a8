#include "rendezvous/server.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/secret.h"
#include "rendezvous/descriptors.h"
#include "rendezvous/store.h"
#include "rendezvous/unproved.h"
#include "rendezvous/wire.h"

namespace sxb::rendezvous {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// The events of these two; a connection's number is higher.
constexpr std::uint64_t kListener = 0, kWake = 1;
/// At a time, so that those who are there are heard between newcomers.
constexpr int kAcceptAtOnce = 32;
/// When no connection can be accepted: the machine lacks descriptors or memory.
constexpr milliseconds kAcceptPause{100};

struct Connection {
  Socket socket;
  std::string address;
  std::string nonce;  ///< the server's; "" before the knock
  int rank = -1;      ///< -1: the token is not proved
  std::string hello;  ///< what has come of it
  std::optional<Frames> frames;
  std::string out;    ///< what the kernel has not taken yet
  bool full = false;  ///< waits until it takes more, and is not read meanwhile
  bool over = false;  ///< removed when nobody holds a reference
};

int timeout_ms(Clock::time_point now, Clock::time_point when) {
  if (when == Clock::time_point::max()) return -1;
  return static_cast<int>(std::max<std::int64_t>(0, std::chrono::ceil<milliseconds>(when - now).count()));
}

}  // namespace

class Server::Loop {
 public:
  Loop(Listening listening, const ServerOptions& options)
      : options_(options),
        limits_(limits_for(options.world)),
        listeners_(std::move(listening.sockets)),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)),
        wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        store_(options.world, [this](int rank, const Answer& answer) { reply(rank, answer); }),
        by_rank_(static_cast<std::size_t>(options.world), 0) {}

  bool ready() const { return epoll_ && wake_; }

  void start() {
    watch_listeners(EPOLL_CTL_ADD, EPOLLIN);
    watch(EPOLL_CTL_ADD, wake_.fd(), kWake, EPOLLIN);
    // Signals are for the threads of the rank.
    sigset_t all, before;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { run(); });
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  void stop(milliseconds linger) {
    if (!thread_.joinable()) return;
    stop_at_ = (Clock::now() + linger).time_since_epoch().count();
    const std::uint64_t one = 1;
    static_cast<void>(!::write(wake_.fd(), &one, sizeof one));
    thread_.join();
  }

  Strangers strangers() const {
    const std::lock_guard lock(mutex_);
    return strangers_;
  }

 private:
  void run() {
    try {
      while (!stopping()) step();
      for (const auto& [number, one] : unproved_.all()) count_stranger(one.address);
    } catch (const std::exception& error) {  // no memory is left
      std::fprintf(stderr, "error: the rendezvous has ended: %s\n", error.what());
    }
    connections_.clear();
    listeners_.clear();
  }

  /// Whether stop() was called and nothing is left to do, or its time is over.
  bool stopping() {
    const auto at = stop_at_.load();
    if (at == kServing) return false;
    return Clock::now().time_since_epoch().count() >= at || connections_.size() == unproved_.size();
  }

  void step() {
    const auto now = Clock::now();
    auto next = Clock::time_point::max();
    if (unproved_.size() > 0) next = unproved_.all().begin()->second.opened + options_.proof_time;
    if (paused_until_) next = std::min(next, *paused_until_);
    const auto stop_at = stop_at_.load();
    if (stop_at != kServing) next = std::min(next, Clock::time_point(Clock::duration(stop_at)));
    std::array<epoll_event, 256> events;
    const int count = ::epoll_wait(epoll_.fd(), events.data(), events.size(), timeout_ms(now, next));
    bool newcomers = false;
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.u64 == kListener) {
        newcomers = true;
      } else if (event.data.u64 == kWake) {
        std::uint64_t drained;
        static_cast<void>(!::read(wake_.fd(), &drained, sizeof drained));
      } else if (const auto found = connections_.find(event.data.u64); found != connections_.end()) {
        serve(found->first, found->second, event.events);
      }
    }
    close_late();
    remove_over();
    for (std::size_t i = 0; newcomers && i < listeners_.size(); ++i) accept_some(listeners_[i].fd());
    if (paused_until_ && Clock::now() >= *paused_until_) {
      paused_until_.reset();
      watch_listeners(EPOLL_CTL_MOD, EPOLLIN);
    }
  }

  void watch(int operation, int fd, std::uint64_t number, std::uint32_t wanted) const {
    epoll_event event = {};
    event.events = wanted;
    event.data.u64 = number;
    ::epoll_ctl(epoll_.fd(), operation, fd, &event);
  }

  void watch_listeners(int operation, std::uint32_t wanted) const {
    for (const Socket& listener : listeners_) watch(operation, listener.fd(), kListener, wanted);
  }

  // ---- Newcomers ----------------------------------------------------------------------------------------

  void accept_some(int listener) {
    for (int i = 0; i < kAcceptAtOnce; ++i) {
      Address peer;
      peer.size = sizeof peer.storage;
      Socket socket(::accept4(listener, peer.generic(), &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC));
      const int code = socket ? 0 : errno;
      if (code == ECONNABORTED || code == EINTR) continue;
      if (code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM) pause();
      if (code != 0) return;
      welcome_newcomer(std::move(socket), peer.text());
    }
  }

  /// The listener stays readable: without a pause it would be asked again and again.
  void pause() {
    paused_until_ = Clock::now() + kAcceptPause;
    watch_listeners(EPOLL_CTL_MOD, 0);
    make_room();
  }

  void welcome_newcomer(Socket socket, const std::string& address) {
    if (static_cast<int>(unproved_.size()) >= kUnproved + options_.world - present_) make_room();
    const std::uint64_t number = ++last_number_;
    Connection& connection = connections_[number];
    connection.socket = std::move(socket);
    connection.address = address;
    unproved_.add(number, address, Clock::now());
    tune(connection.socket.fd());
    watch(EPOLL_CTL_ADD, connection.socket.fd(), number, EPOLLIN);
  }

  void greet(std::uint64_t number, Connection& connection) {
    connection.hello.clear();
    connection.nonce = random_bytes(kNonceBytes);
    send(number, connection, write_greeting(connection.nonce));
  }

  void make_room() {
    const auto found = connections_.find(unproved_.first_to_go());
    if (found == connections_.end()) return;
    end(found->first, found->second);
    remove_over();
  }

  void close_late() {
    const auto limit = Clock::now() - options_.proof_time;
    for (const auto& [number, one] : unproved_.all()) {
      if (one.opened > limit) break;
      end(number, connections_.at(number));
    }
  }

  void admit(std::uint64_t number, Connection& connection) {
    const std::optional<SignedHello> hello = parse_hello(connection.hello);
    if (!hello || !proves(options_.token, connection.nonce, *hello)) {
      send(number, connection, write_welcome(options_.token, connection.nonce, {}, Entry::kWrongProof));
      return end(number, connection);
    }
    Entry entry = Entry::kAdmitted;
    const auto world = static_cast<std::uint32_t>(options_.world);
    if (hello->hello.world != world || hello->hello.rank >= world) {
      entry = Entry::kNoSuchRank;
    } else if (is_present(hello->hello.rank)) {
      entry = Entry::kRankTaken;
    }
    no_stranger(number, connection, hello->hello.tries);
    connection.hello.clear();
    if (entry == Entry::kAdmitted) {
      connection.rank = static_cast<int>(hello->hello.rank);
      connection.frames.emplace(limits_.request_bytes);
      by_rank_[hello->hello.rank] = number;
      ++present_;
    }
    send(number, connection, write_welcome(options_.token, connection.nonce, hello->hello, entry));
    if (entry != Entry::kAdmitted) end(number, connection);
  }

  /// A connection whose end is there but was not heard of yet is gone.
  bool is_present(std::uint32_t rank) {
    const auto found = connections_.find(by_rank_[rank]);
    if (found == connections_.end() || found->second.over) return false;
    tcp_info info = {};
    socklen_t size = sizeof info;
    const int fd = found->second.socket.fd();
    if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 && info.tcpi_state == TCP_ESTABLISHED)
      return true;
    end(found->first, found->second);
    remove_over();
    return false;
  }

  void no_stranger(std::uint64_t number, const Connection& connection, std::uint32_t tries) {
    unproved_.remove(number);
    const std::lock_guard lock(mutex_);
    strangers_.forgive(connection.address, tries);
  }

  // ---- Those who are there ------------------------------------------------------------------------------

  void serve(std::uint64_t number, Connection& connection, std::uint32_t events) {
    if (connection.over) return;
    if (connection.full) {
      send(number, connection, "");
      if (connection.frames) work_off(number, connection);
    }
    if (connection.over || !connection.out.empty()) return;
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read(number, connection);
  }

  void read(std::uint64_t number, Connection& connection) {
    std::array<char, 16 << 10> buffer;
    const bool proved = connection.rank >= 0;
    const std::size_t due = connection.nonce.empty() ? kMagic.size() : kHelloBytes;
    const std::size_t most = proved ? buffer.size() : due - connection.hello.size();
    const ssize_t got = ::recv(connection.socket.fd(), buffer.data(), most, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return end(number, connection);
    const std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
    if (proved) {
      connection.frames->add(bytes);
      return work_off(number, connection);
    }
    connection.hello += bytes;
    if (!may_be_hello(connection.hello)) return end(number, connection);
    if (connection.hello.size() < due) return;
    connection.nonce.empty() ? greet(number, connection) : admit(number, connection);
  }

  /// A rank that does not take its answers gets no further ones: its requests wait.
  void work_off(std::uint64_t number, Connection& connection) {
    while (!connection.over && connection.out.empty()) {
      const std::optional<std::string_view> frame = connection.frames->next();
      const std::optional<Request> request = frame ? parse_request(*frame, limits_) : std::nullopt;
      if (request) {
        store_.handle(connection.rank, *request);
      } else if (frame || connection.frames->broken()) {
        send(number, connection, write_answer({0, Code::kMalformed, ""}));
        end(number, connection);
      } else {
        return;
      }
    }
  }

  void reply(int rank, const Answer& answer) {
    const std::uint64_t number = by_rank_[static_cast<std::size_t>(rank)];
    const auto found = connections_.find(number);
    if (found != connections_.end() && !found->second.over) send(number, found->second, write_answer(answer));
  }

  void send(std::uint64_t number, Connection& connection, std::string_view bytes) {
    connection.out += bytes;
    while (!connection.out.empty()) {
      const ssize_t sent = ::send(connection.socket.fd(), connection.out.data(), connection.out.size(),
                                  MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0 && errno == EAGAIN) break;
      if (sent < 0) return end(number, connection);
      connection.out.erase(0, static_cast<std::size_t>(sent));
    }
    const bool full = !connection.out.empty();
    if (full == connection.full) return;
    connection.full = full;
    watch(EPOLL_CTL_MOD, connection.socket.fd(), number, full ? EPOLLOUT : EPOLLIN);
  }

  void end(std::uint64_t number, Connection& connection) {
    if (connection.over) return;
    connection.over = true;
    over_.push_back(number);
  }

  void remove_over() {
    for (const std::uint64_t number : std::exchange(over_, {})) {
      const auto found = connections_.find(number);
      const Connection& connection = found->second;
      if (unproved_.contains(number)) {
        unproved_.remove(number);
        count_stranger(connection.address);
      } else if (connection.rank >= 0) {
        --present_;
        store_.gone(connection.rank);
      }
      connections_.erase(found);
    }
  }

  void count_stranger(const std::string& address) {
    const std::lock_guard lock(mutex_);
    strangers_.add(address);
  }

  static constexpr std::int64_t kServing = -1;

  const ServerOptions options_;
  const Limits limits_;
  std::vector<Socket> listeners_;
  Socket epoll_, wake_;
  Store store_;
  std::thread thread_;
  std::atomic<std::int64_t> stop_at_{kServing};  ///< of Clock

  std::unordered_map<std::uint64_t, Connection> connections_;  ///< by number, counted from the first
  Unproved unproved_;
  std::vector<std::uint64_t> by_rank_;  ///< a rank's last connection, or 0
  std::vector<std::uint64_t> over_;
  std::uint64_t last_number_ = kWake;
  int present_ = 0;
  std::optional<Clock::time_point> paused_until_;

  mutable std::mutex mutex_;
  Strangers strangers_;
};

Server::Server(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}
Server::~Server() { stop(milliseconds(0)); }

Result<std::unique_ptr<Server>> Server::start(Listening listening, const ServerOptions& options) {
  SXB_RETURN_IF_ERROR(need_descriptors(options.world + kUnproved));
  auto loop = std::make_unique<Loop>(std::move(listening), options);
  if (!loop->ready()) {
    return Error{fmt::format("the rendezvous cannot be served: {}", std::strerror(errno)), "",
                 "raise the limits of open files (ulimit -n) and processes (ulimit -u)",
                 ExitCode::kEnvironment};
  }
  loop->start();
  return std::unique_ptr<Server>(new Server(std::move(loop)));
}

void Server::stop(milliseconds linger) { loop_->stop(linger); }

Strangers Server::strangers() const { return loop_->strangers(); }

}  // namespace sxb::rendezvous
