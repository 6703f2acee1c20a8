#include "launch/head/rendezvous_host.h"

#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/secret.h"
#include "base/text.h"
#include "launch/os/interrupt.h"
#include "launch/os/name_lookup.h"
#include "launch/transport/transports.h"

namespace sxb::launch {
namespace {

using config::AddressFamily;

int socket_family(AddressFamily family) {
  return family == AddressFamily::kIpv4 ? AF_INET : family == AddressFamily::kIpv6 ? AF_INET6 : AF_UNSPEC;
}

std::string numeric(const sockaddr* address) {
  char text[NI_MAXHOST] = "";
  const socklen_t size = address->sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  return ::getnameinfo(address, size, text, sizeof text, nullptr, 0, NI_NUMERICHOST) == 0 ? text : "";
}

Error told_to_end(const std::string& what, const std::string& where) {
  return {"told to end while it waited for " + what, where, "", ExitCode::kInterrupted};
}

Result<std::string> look_up(const std::string& host, AddressFamily family) {
  if (family == AddressFamily::kAny) return host;
  const NameLookup found = look_up_name(host, socket_family(family));
  if (found.interrupted) return told_to_end("the address of " + host, host);
  if (!found.addresses.empty()) return found.addresses.front();
  return Error{fmt::format("{} has no address of the family that rendezvous.family asks for: {}", host,
                           ::gai_strerror(found.code)),
               host, "set rendezvous.host to an address, or rendezvous.family to \"any\"",
               ExitCode::kEnvironment};
}

/// Whether it is an address, as a rank can connect to it.
bool is_address(const std::string& text) {
  addrinfo hints = {};
  hints.ai_flags = AI_NUMERICHOST;
  addrinfo* found = nullptr;
  if (::getaddrinfo(text.c_str(), nullptr, &hints, &found) != 0) return false;
  ::freeaddrinfo(found);
  return true;
}

/// Whether this machine takes `host` for the name of an address: so do the nodes, then. A resolver that has
/// not answered within `timeouts.connect_s` is no help to anybody.
bool resolves_here(const std::string& host, const config::Timeouts& timeouts) {
  return !look_up_name(host, AF_UNSPEC, std::chrono::seconds(timeouts.connect_s)).addresses.empty();
}

/// `worker address` on a node, alone: no other job of the transport is under way.
class AddressQuestion {
 public:
  AddressQuestion(const config::Cluster& cluster, const config::Node& node, const std::string& program,
                  Transport& transport)
      : cluster_(cluster), node_(node), program_(program), transport_(transport) {}

  Result<std::string> ask(const std::string& interface) {
    const std::string family = config::to_string(cluster_.rendezvous.family);
    SXB_ASSIGN_OR_RETURN(
        job_, transport_.start(node_, {program_, "worker", "address", interface, family, mark_}, {}, ""));
    while (!ended_) {
      transport_.poll(100, [&](const TransportEvent& event) {
        if (event.job == job_) hear(event);
      });
      if (!ended_ && interrupts() > 0) give_up("the question was interrupted");
      if (!ended_ && give_up_ns_ != 0 && monotonic_ns() > give_up_ns_) {
        give_up(fmt::format("node {} did not tell its address within {} s", node_.name, patience_s()));
      }
    }
    if (failed_.what.empty() && address_.empty()) {
      failed_.what =
          fmt::format("no sxbench answered on node {}{}", node_.name, said_.empty() ? "" : ": " + said_);
      failed_.help = "try what sxbench starts there by hand: " + program_ + " --version";
    }
    if (!failed_.what.empty()) return failed_;
    return address_;
  }

 private:
  /// From its start: a batch system may let it wait.
  int patience_s() const { return 2 * cluster_.timeouts.connect_s; }

  void hear(const TransportEvent& event) {
    switch (event.kind) {
      case TransportEvent::Kind::kStarted:
        give_up_ns_ = monotonic_ns() + patience_s() * std::int64_t{1'000'000'000};
        break;
      case TransportEvent::Kind::kLine:
        hear_line(event);
        break;
      case TransportEvent::Kind::kExit:
        ended_ = true;
        if (!event.status.ok() && failed_.what.empty())
          failed_.what = said_.empty() ? event.status.text() : said_;
        break;
      case TransportEvent::Kind::kLost:
        ended_ = true;
        if (!failed_.what.empty()) break;
        if (event.loss.kind != Loss::Class::kOther) {  // the start of its agent tells why, beside all others
          address_ = node_.host;
          break;
        }
        failed_.what = "node " + node_.name + " was lost: " + event.loss.what;
        failed_.help = event.loss.help;
        break;
    }
  }

  /// A shell's greeting is no address, and may stand before it in the same line.
  void hear_line(const TransportEvent& event) {
    const std::size_t at = event.from_stderr ? std::string::npos : event.line.find(mark_ + " ");
    if (at == std::string::npos) {
      said_ = printable_line(event.line);
      return;
    }
    const std::string told(trim(event.line.substr(at + mark_.size() + 1)));
    if (is_address(told)) {
      address_ = told;
    } else {
      failed_.what = fmt::format("node {} told \"{}\" in the place of its address", node_.name,
                                 printable_line(told.substr(0, 100)));
      failed_.help = "set rendezvous.host of the cluster config to an address of the first node";
    }
  }

  /// Asks it to end; when the transport does not see that either, there is no more to wait for.
  void give_up(const std::string& why) {
    constexpr std::int64_t kSeenToEndNs = 5'000'000'000;
    if (gave_up_ns_ == 0) {
      transport_.stop(job_, 0);
      gave_up_ns_ = monotonic_ns();
      failed_.what = why + (said_.empty() ? "" : "; its login prints: " + said_);
      failed_.help = "set rendezvous.host of the cluster config to an address of the first node";
    }
    if (monotonic_ns() - gave_up_ns_ > kSeenToEndNs) ended_ = true;
  }

  const config::Cluster& cluster_;
  const config::Node& node_;
  const std::string& program_;
  Transport& transport_;
  const std::string mark_ = random_token().substr(0, 16);
  int job_ = 0;
  std::string address_, said_;
  Error failed_ = {"", node_.name, "", ExitCode::kEnvironment};
  bool ended_ = false;
  std::int64_t give_up_ns_ = 0, gave_up_ns_ = 0;
};

/// The name stands for an address in ssh's config alone: the ranks are given one that they can use.
Result<std::string> ask_for_own_address(const config::Cluster& cluster, const config::Node& node0,
                                        const std::string& program, Transport& transport) {
  Result<std::string> address = AddressQuestion(cluster, node0, program, transport).ask(kAnyInterface);
  if (address.ok()) return address;
  Error error = address.error();
  error.what = fmt::format("{} does not resolve on this machine, and {}", node0.host, error.what);
  error.help += std::string(error.help.empty() ? "" : "; or ") +
                "set rendezvous.host of the cluster config to an address of the first node, or "
                "rendezvous.interface to the interface that has it";
  return error;
}

}  // namespace

Result<std::string> rendezvous_host(const config::Cluster& cluster, const config::Node& node0,
                                    const std::string& program, Transport& transport) {
  const config::Rendezvous& rendezvous = cluster.rendezvous;
  if (!rendezvous.interface.empty())
    return AddressQuestion(cluster, node0, program, transport).ask(rendezvous.interface);
  if (!rendezvous.host.empty()) return look_up(rendezvous.host, rendezvous.family);
  if (reaches_only_this_machine(cluster)) {
    return std::string(rendezvous.family == AddressFamily::kIpv6 ? "::1" : "127.0.0.1");
  }
  if (!resolves_here(node0.host, cluster.timeouts))
    return ask_for_own_address(cluster, node0, program, transport);
  return look_up(node0.host, rendezvous.family);
}

namespace {

struct OwnAddress {
  std::string interface;
  std::string text;
  bool loopback = false;
};

/// Those of `family` that mean something elsewhere, in the kernel's order; and the names of all interfaces.
Status list_addresses(AddressFamily family, std::vector<OwnAddress>& addresses,
                      std::vector<std::string>& names) {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) {
    return Error{"the interfaces of this machine cannot be listed", "", "", ExitCode::kEnvironment};
  }
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, &::freeifaddrs);
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    const std::string name = entry->ifa_name;
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    if (entry->ifa_addr == nullptr) continue;
    const int found = entry->ifa_addr->sa_family;
    if (found != AF_INET && found != AF_INET6) continue;
    if (family != AddressFamily::kAny && found != socket_family(family)) continue;
    if (found == AF_INET6 &&
        IN6_IS_ADDR_LINKLOCAL(&reinterpret_cast<const sockaddr_in6*>(entry->ifa_addr)->sin6_addr)) {
      continue;
    }
    addresses.push_back({name, numeric(entry->ifa_addr), (entry->ifa_flags & IFF_LOOPBACK) != 0});
  }
  return ok_status();
}

/// From which packets to elsewhere would go; nothing is sent. "" where no route leads away.
std::string address_of_default_route(AddressFamily family) {
  for (const auto& [number, elsewhere] :
       {std::pair(AF_INET, "198.51.100.1"), std::pair(AF_INET6, "2001:db8::1")}) {
    if (family != AddressFamily::kAny && number != socket_family(family)) continue;
    addrinfo hints = {};
    hints.ai_family = number;
    hints.ai_socktype = SOCK_DGRAM;
    hints.ai_flags = AI_NUMERICHOST;
    addrinfo* found = nullptr;
    if (::getaddrinfo(elsewhere, "9", &hints, &found) != 0) continue;
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
    const int fd = ::socket(number, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) continue;
    sockaddr_storage own = {};
    socklen_t size = sizeof own;
    const bool known = ::connect(fd, found->ai_addr, found->ai_addrlen) == 0 &&
                       ::getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size) == 0;
    ::close(fd);
    if (known) return numeric(reinterpret_cast<const sockaddr*>(&own));
  }
  return "";
}

/// "CLIENT PORT SERVER PORT" of sshd; under a batch system those of the login node come along.
std::string address_of_login(const char* ssh_connection) {
  const std::vector<std::string> words =
      split(ssh_connection != nullptr ? std::string_view(ssh_connection) : std::string_view(), ' ');
  return words.size() == 4 ? words[2] : "";
}

Result<std::string> address_toward_others(AddressFamily family, const char* ssh_connection) {
  std::vector<OwnAddress> addresses;
  std::vector<std::string> names;
  SXB_RETURN_IF_ERROR(list_addresses(family, addresses, names));
  std::erase_if(addresses, [](const OwnAddress& own) { return own.loopback; });
  for (const std::string& wanted : {address_of_login(ssh_connection), address_of_default_route(family)}) {
    const bool is_own = std::any_of(addresses.begin(), addresses.end(),
                                    [&](const OwnAddress& own) { return own.text == wanted; });
    if (is_own) return wanted;
  }
  if (!addresses.empty()) return addresses.front().text;
  return Error{"it has no address but loopback", "rendezvous.interface", "", ExitCode::kEnvironment};
}

}  // namespace

Result<std::string> interface_address(const std::string& interface, AddressFamily family,
                                      const char* ssh_connection) {
  if (interface == kAnyInterface) return address_toward_others(family, ssh_connection);
  std::vector<OwnAddress> addresses;
  std::vector<std::string> names;
  SXB_RETURN_IF_ERROR(list_addresses(family, addresses, names));
  for (const OwnAddress& own : addresses) {
    if (own.interface == interface) return own.text;
  }
  if (std::find(names.begin(), names.end(), interface) != names.end()) {
    return Error{fmt::format("the interface {} has no {} address", interface,
                             family == AddressFamily::kAny ? "usable" : config::to_string(family)),
                 "rendezvous.interface", "choose another interface or family in the cluster config",
                 ExitCode::kEnvironment};
  }
  return Error{fmt::format("there is no interface {}", interface), "rendezvous.interface",
               suggest(interface, names), ExitCode::kEnvironment};
}

}  // namespace sxb::launch
