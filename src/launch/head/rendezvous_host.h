// Where the ranks of a task meet: an address of its first node that the other nodes reach.
#pragma once

#include <string>

#include "base/result.h"
#include "config/cluster/cluster.h"
#include "launch/transport/transport.h"

namespace sxb::launch {

/// As cluster.rendezvous says: its host; node 0's address on its interface, for which `program` is asked
/// there; else node 0's host. With a family the host is looked up here and given as an address.
Result<std::string> rendezvous_host(const config::Cluster& cluster, const config::Node& node0,
                                    const std::string& program, Transport& transport);

/// This machine's address on `interface`; `sxbench worker address`. Link-local ones do not count: they
/// mean nothing without a zone.
Result<std::string> interface_address(const std::string& interface, config::AddressFamily family);

}  // namespace sxb::launch
