// RDMA adapters and their ports, from /sys/class/infiniband.
#pragma once

#include <vector>

#include "metrics/sampler.h"
#include "record/kinds/node.h"

namespace sxb::metrics {

/// The RDMA adapters of the node; what the kernel does not say is left out.
std::vector<record::NodeRdma> rdma_adapters(const Roots& roots);

}  // namespace sxb::metrics
