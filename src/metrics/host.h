// Samples from /proc and /sys: CPU and memory, network interfaces, RDMA ports.
#pragma once

#include "metrics/sampler.h"
#include "metrics/source.h"

namespace sxb::metrics {

Sources host_sources(const Roots& roots);

/// The interfaces of the node: array of {name, speed_mbps, mtu, state, pcie_generation, pcie_lanes}; what the
/// kernel does not say is left out. Bridge ports without hardware (the host's ends of containers) are no
/// interfaces of the node.
Json network_interfaces(const Roots& roots);

/// Its RDMA adapters: array of {name, rate_gbps, pcie_generation, pcie_lanes}; what the kernel does not say
/// is left out.
Json rdma_adapters(const Roots& roots);

/// "MemTotal", "MemAvailable" ... of /proc/meminfo in bytes; -1 if it is not there.
std::int64_t meminfo_bytes(const std::string& meminfo, const std::string& key);

}  // namespace sxb::metrics
