// Network interfaces, from /proc/net/dev and /sys/class/net.
#pragma once

#include <vector>

#include "metrics/sampler.h"
#include "record/kinds/node.h"

namespace sxb::metrics {

/// The interfaces of the node; what the kernel does not say is left out. Bridge ports without hardware (the
/// host's ends of containers) are no interfaces of the node.
std::vector<record::NodeNic> network_interfaces(const Roots& roots);

}  // namespace sxb::metrics
