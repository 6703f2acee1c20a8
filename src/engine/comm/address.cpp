#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>

#include "engine/comm/rendezvous.h"

namespace sxb::engine::comm {

std::string address_toward(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), "9", &hints, &found) != 0) return "";
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  for (const addrinfo* info = found; info != nullptr; info = info->ai_next) {
    const int fd = socket(info->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) continue;
    sockaddr_storage local{};
    socklen_t size = sizeof(local);
    char text[NI_MAXHOST] = "";
    // connect() on a datagram socket only picks the route and with it the local address.
    auto* address = reinterpret_cast<sockaddr*>(&local);
    const bool ok = connect(fd, info->ai_addr, info->ai_addrlen) == 0 &&
                    getsockname(fd, address, &size) == 0 &&
                    getnameinfo(address, size, text, sizeof(text), nullptr, 0, NI_NUMERICHOST) == 0;
    close(fd);
    if (ok) return text;
  }
  return "";
}

}  // namespace sxb::engine::comm
