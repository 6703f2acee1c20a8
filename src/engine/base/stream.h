// The order of work on a device, as interfaces without CUDA's headers name it.
#pragma once

namespace sxb::engine {

/// A cudaStream_t; nullptr on the CPU (calls are then synchronous) and for the default stream.
using Stream = void*;

}  // namespace sxb::engine
