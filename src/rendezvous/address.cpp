#include "rendezvous/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "base/text.h"

namespace sxb::rendezvous {
namespace {

constexpr const char* kKey = "rendezvous.host (unless it is set, the first node's host)";
constexpr const char* kRemedy =
    "set rendezvous.host of the cluster config to the first node's address as the others see it, or "
    "rendezvous.interface to the interface that has it";

const in6_addr& address_v6(const Address& address) {
  return reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_addr;
}

in_addr address_v4(const Address& address) {
  return reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_addr;
}

void set_option(int fd, int level, int name, int value) {
  ::setsockopt(fd, level, name, &value, sizeof value);
}

Address everywhere(int family, int port) {
  Address address;
  if (family == AF_INET6) {
    sockaddr_in6 any = {};
    any.sin6_family = AF_INET6;
    any.sin6_addr = in6addr_any;
    any.sin6_port = htons(static_cast<std::uint16_t>(port));
    address.size = sizeof any;
    std::memcpy(&address.storage, &any, sizeof any);
  } else {
    sockaddr_in any = {};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_ANY);
    any.sin_port = htons(static_cast<std::uint16_t>(port));
    address.size = sizeof any;
    std::memcpy(&address.storage, &any, sizeof any);
  }
  return address;
}

/// 0, or errno.
int try_listen(const Address& address, Socket& socket) {
  socket = Socket(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return errno;
  set_option(socket.fd(), SOL_SOCKET, SO_REUSEADDR,
             1);  // connections of an earlier task may still be closing
  if (address.family() == AF_INET6) set_option(socket.fd(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (::bind(socket.fd(), address.generic(), address.size) != 0) return errno;
  // All ranks may come at the same moment; the kernel lowers it to net.core.somaxconn.
  return ::listen(socket.fd(), 1 << 16) == 0 ? 0 : errno;
}

bool same(const Address& a, const Address& b) {
  return a.size == b.size && std::memcmp(&a.storage, &b.storage, a.size) == 0;
}

/// Adds the sockets of those that belong to this machine. The error of one that does and cannot be had.
std::optional<Error> listen_on(const std::vector<Address>& addresses, Listening& listening) {
  for (const Address& one : addresses) {
    const bool there = std::any_of(listening.addresses.begin(), listening.addresses.end(),
                                   [&](const Address& other) { return same(one, other); });
    if (there) continue;
    Socket socket;
    const int code = try_listen(one, socket);
    if (code == EADDRNOTAVAIL || code == EAFNOSUPPORT)
      continue;  // of another machine, of a family not had here
    if (code != 0) {
      return Error{std::strerror(code), one.text(),
                   "free that port, or choose another with rendezvous.port of the cluster config",
                   ExitCode::kEnvironment};
    }
    listening.sockets.push_back(std::move(socket));
    listening.addresses.push_back(one);
  }
  return std::nullopt;
}

std::string addresses_text(const std::vector<Address>& addresses) {
  std::vector<std::string> texts;
  for (const Address& address : addresses) texts.push_back(address.text());
  return join(texts, ", ");
}

}  // namespace

bool Address::is_loopback() const {
  if (family() == AF_INET) return ntohl(address_v4(*this).s_addr) >> 24 == 127;
  return IN6_IS_ADDR_LOOPBACK(&address_v6(*this));
}

std::string Address::text() const {
  char text[NI_MAXHOST] = "";
  if (family() == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&address_v6(*this))) {
    return ::inet_ntop(AF_INET, &address_v6(*this).s6_addr[12], text, sizeof text) != nullptr ? text : "?";
  }
  return ::getnameinfo(generic(), size, text, sizeof text, nullptr, 0, NI_NUMERICHOST) == 0 ? text : "?";
}

Result<std::vector<Address>> resolve(const std::string& host, int port) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int code = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  std::vector<Address> addresses;
  for (const addrinfo* info = code == 0 ? found : nullptr; info != nullptr; info = info->ai_next) {
    if (info->ai_family != AF_INET && info->ai_family != AF_INET6) continue;
    Address address;
    address.size = info->ai_addrlen;
    std::memcpy(&address.storage, info->ai_addr, info->ai_addrlen);
    addresses.push_back(address);
  }
  if (!addresses.empty()) return addresses;
  return Error{fmt::format("{} is \"{}\", which does not resolve: {}", kKey, host,
                           code == EAI_SYSTEM ? std::strerror(errno) : ::gai_strerror(code)),
               "", kRemedy, ExitCode::kEnvironment};
}

bool is_numeric(const std::string& host) {
  addrinfo hints = {};
  hints.ai_flags = AI_NUMERICHOST;
  addrinfo* found = nullptr;
  const bool numeric = ::getaddrinfo(host.c_str(), nullptr, &hints, &found) == 0;
  if (numeric) ::freeaddrinfo(found);
  return numeric;
}

std::string endpoint(const std::string& host, int port) {
  const bool is_ipv6 = host.find(':') != std::string::npos;
  return is_ipv6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

Socket::~Socket() {
  if (fd_ >= 0) ::close(fd_);
}
Socket::Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
Socket& Socket::operator=(Socket&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

void tune(int fd) {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 60);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 15);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 4);
}

Listen listen_at(const std::string& host, int port, bool spread) {
  const Result<std::vector<Address>> found = resolve(host, port);
  if (!found.ok()) return {ListenTrouble::kName, found.error(), {}};
  return listen_at(host, *found, port, spread);
}

Listen listen_at(const std::string& host, const std::vector<Address>& found, int port, bool spread) {
  const bool may_mislead = spread && !is_numeric(host) && host != "localhost";
  std::vector<Address> candidates = found;
  if (may_mislead) std::erase_if(candidates, [](const Address& one) { return one.is_loopback(); });
  Listening listening;
  if (const auto error = listen_on(candidates, listening)) return {ListenTrouble::kPort, *error, {}};
  if (may_mislead && listening.sockets.empty()) {
    listening.everywhere = true;
    std::vector<Address> all;
    for (const Address& one : found) {
      if (one.is_loopback()) all.push_back(everywhere(one.family(), port));
    }
    if (const auto error = listen_on(all, listening)) return {ListenTrouble::kPort, *error, {}};
  }
  if (!listening.sockets.empty()) return {ListenTrouble::kNone, {}, std::move(listening)};
  const bool loopback =
      std::all_of(found.begin(), found.end(), [](const Address& one) { return one.is_loopback(); });
  return {
      ListenTrouble::kNotLocal,
      {fmt::format("{} is \"{}\", which resolves to {}: that is no address of this machine", kKey, host,
                   addresses_text(found)),
       "", loopback ? "its loopback interface is down: ip link set lo up" : kRemedy, ExitCode::kEnvironment},
      {}};
}

}  // namespace sxb::rendezvous
