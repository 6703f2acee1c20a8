// Where the ranks of a task meet: an address of its first node that the other nodes reach.
#pragma once

#include <string>

#include "base/result.h"
#include "config/cluster/cluster.h"
#include "launch/transport/transport.h"

namespace sxb::launch {

/// As cluster.rendezvous says: its host; node 0's address on its interface, for which `program` is asked
/// there; else node 0's host. Where that is a name that this machine cannot resolve, as a Host of ssh's
/// config, node 0 is asked for an address of its own. If it is not there the result is its host: whoever
/// starts something there hears why. With a family the host is looked up here and given as an address.
Result<std::string> rendezvous_host(const config::Cluster& cluster, const config::Node& node0,
                                    const std::string& program, Transport& transport);

/// In the place of an interface: whichever leads to the others. No interface can have this name.
inline constexpr const char* kAnyInterface = "/any";

/// This machine's address on `interface`; `sxbench worker address`. Link-local ones do not count: they
/// mean nothing without a zone. On kAnyInterface: the one to which the login came (`ssh_connection`, as sshd
/// sets SSH_CONNECTION), else the one from which packets to elsewhere go, else the first that is no loopback.
Result<std::string> interface_address(const std::string& interface, config::AddressFamily family,
                                      const char* ssh_connection = nullptr);

}  // namespace sxb::launch
