// What an NCCL call makes the GPU run, read from a captured graph: NCCL falls back silently, and its
// log says only what it meant to do.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>
#include <string>

namespace sxb::engine::comm {

/// Captures `issue` on `stream`; nothing runs. "copy engine, 4 copies" where there is no kernel, else
/// the kernels' names, each with its thread blocks: "ncclSymkDevKernel_AllGather_ST, 2 CTAs".
/// Kernels of NCCL's channels are named for one protocol (RING_LL) whichever they choose inside.
std::string captured_path(const std::function<void()>& issue, cudaStream_t stream);

}  // namespace sxb::engine::comm
