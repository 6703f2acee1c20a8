#include "launch/head/rendezvous_host.h"

#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>
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

/// Runs `worker address` on the node, alone: no other job of the transport is under way.
Result<std::string> ask_node(const config::Cluster& cluster, const config::Node& node,
                             const std::string& program, Transport& transport) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  const std::string family = config::to_string(cluster.rendezvous.family);
  const std::string mark = random_token().substr(0, 16);  // a shell's greeting is no address
  SXB_ASSIGN_OR_RETURN(
      const int job,
      transport.start(node, {program, "worker", "address", cluster.rendezvous.interface, family, mark}, {},
                      ""));
  std::string address, said;
  Error failed = {"", node.name, "", ExitCode::kEnvironment};
  bool ended = false;
  std::int64_t give_up = 0;  // from its start: a batch system may let it wait
  while (!ended) {
    transport.poll(100, [&](const TransportEvent& event) {
      if (event.job != job) return;
      switch (event.kind) {
        case TransportEvent::Kind::kStarted:
          give_up = monotonic_ns() + cluster.timeouts.agent_silence_s * kSecond;
          break;
        case TransportEvent::Kind::kLine:
          if (const std::size_t at = event.line.find(mark + " ");
              !event.from_stderr && at != std::string::npos) {
            address = event.line.substr(at + mark.size() + 1);
          } else {
            said = printable_line(event.line);
          }
          break;
        case TransportEvent::Kind::kExit:
          ended = true;
          if (!event.status.ok()) failed.what = said.empty() ? event.status.text() : said;
          break;
        case TransportEvent::Kind::kLost:
          ended = true;
          failed.what = "node " + node.name + " was lost: " + event.loss.what;
          failed.help = event.loss.help;
          break;
      }
    });
    if (interrupts() > 0 && !ended) {
      transport.stop(job, 0);
      return told_to_end("the address of node " + node.name, node.name);
    }
    if (give_up != 0 && monotonic_ns() > give_up && !ended) {
      transport.stop(job, 0);
      give_up = 0;
      failed.what = fmt::format("node {} did not tell its address within {} s", node.name,
                                cluster.timeouts.agent_silence_s);
    }
  }
  if (failed.what.empty() && address.empty()) {
    failed.what = fmt::format("no sxbench answered on node {}{}", node.name, said.empty() ? "" : ": " + said);
    failed.help = "try what sxbench starts there by hand: " + program + " --version";
  }
  if (!failed.what.empty()) return failed;
  return address;
}

}  // namespace

Result<std::string> rendezvous_host(const config::Cluster& cluster, const config::Node& node0,
                                    const std::string& program, Transport& transport) {
  const config::Rendezvous& rendezvous = cluster.rendezvous;
  if (!rendezvous.interface.empty()) return ask_node(cluster, node0, program, transport);
  if (!rendezvous.host.empty()) return look_up(rendezvous.host, rendezvous.family);
  if (reaches_only_this_machine(cluster)) {
    return std::string(rendezvous.family == AddressFamily::kIpv6 ? "::1" : "127.0.0.1");
  }
  return look_up(node0.host, rendezvous.family);
}

Result<std::string> interface_address(const std::string& interface, AddressFamily family) {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) {
    return Error{"the interfaces of this machine cannot be listed", interface, "", ExitCode::kEnvironment};
  }
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, &::freeifaddrs);
  std::vector<std::string> names;
  bool exists = false;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    const std::string name = entry->ifa_name;
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    if (name != interface) continue;
    exists = true;
    if (entry->ifa_addr == nullptr) continue;
    const int found = entry->ifa_addr->sa_family;
    if (found != AF_INET && found != AF_INET6) continue;
    if (family != AddressFamily::kAny && found != socket_family(family)) continue;
    if (found == AF_INET6 &&
        IN6_IS_ADDR_LINKLOCAL(&reinterpret_cast<const sockaddr_in6*>(entry->ifa_addr)->sin6_addr)) {
      continue;
    }
    return numeric(entry->ifa_addr);
  }
  if (exists) {
    return Error{fmt::format("the interface {} has no {} address", interface,
                             family == AddressFamily::kAny ? "usable" : config::to_string(family)),
                 "rendezvous.interface", "choose another interface or family in the cluster config",
                 ExitCode::kEnvironment};
  }
  return Error{fmt::format("there is no interface {}", interface), "rendezvous.interface",
               suggest(interface, names), ExitCode::kEnvironment};
}

}  // namespace sxb::launch
