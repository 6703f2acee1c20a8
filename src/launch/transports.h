// The transports that make_transport() chooses from.
#pragma once

#include <memory>

#include "launch/transport.h"

namespace sxb::launch {

/// The system's ssh. Stdin of a job travels through it; a job ends when its ssh does.
Result<std::unique_ptr<Transport>> ssh_transport(const config::Cluster& cluster);

}  // namespace sxb::launch
