// Latency of a load, by a chain of pointers: each address is known only when the load before has come back.
#pragma once

#include <cstdint>
#include <string>

#include "engine/gpu/tests/test.h"

namespace sxb::engine::gpu {

inline constexpr std::int64_t kChaseBytes = 2 << 20;  ///< as nvbandwidth's

/// `memory` holds kChaseBytes, reachable from this GPU, and is overwritten. One value per multiprocessor,
/// because they are not equally far.
Figure chase_latency(const std::string& test, const std::string& shape, void* memory);

}  // namespace sxb::engine::gpu
