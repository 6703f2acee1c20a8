#include "launch/os/name_lookup.h"

#include <netdb.h>
#include <sys/socket.h>

#include <memory>

#include "launch/os/give_up.h"
#include "launch/os/interrupt.h"

namespace sxb::launch {
namespace {

NameLookup ask_name_service(const std::string& host, int family) {
  addrinfo hints = {};
  hints.ai_family = family;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  NameLookup lookup;
  lookup.code = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  for (const addrinfo* info = lookup.code == 0 ? found : nullptr; info != nullptr; info = info->ai_next) {
    char text[NI_MAXHOST] = "";
    if (::getnameinfo(info->ai_addr, info->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) == 0)
      lookup.addresses.emplace_back(text);
  }
  return lookup;
}

}  // namespace

NameLookup look_up_name(const std::string& host, int family, std::chrono::milliseconds patience) {
  const auto found = ask_beside<NameLookup>([host, family] { return ask_name_service(host, family); },
                                            patience, [] { return interrupts() == 0; });
  if (found) return *found;
  return interrupts() > 0 ? NameLookup{EAI_INTR, {}, true} : NameLookup{EAI_AGAIN, {}, false};
}

}  // namespace sxb::launch
