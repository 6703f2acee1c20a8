// Network interfaces, from /proc/net/dev and /sys/class/net.
#pragma once

#include "base/json.h"
#include "metrics/sampler.h"

namespace sxb::metrics {

/// The interfaces of the node: array of {name, speed_mbps, mtu, state, pcie_generation, pcie_lanes}; what the
/// kernel does not say is left out. Bridge ports without hardware (the host's ends of containers) are no
/// interfaces of the node.
Json network_interfaces(const Roots& roots);

}  // namespace sxb::metrics
