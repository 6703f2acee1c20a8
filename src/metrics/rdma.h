// RDMA adapters and their ports, from /sys/class/infiniband.
#pragma once

#include "base/json.h"
#include "metrics/sampler.h"

namespace sxb::metrics {

/// The RDMA adapters of the node: array of {name, rate_gbps, pcie_generation, pcie_lanes}; what the kernel
/// does not say is left out.
Json rdma_adapters(const Roots& roots);

}  // namespace sxb::metrics
