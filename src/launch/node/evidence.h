// What a rank that hangs is doing, asked of the kernel and of NCCL before the rank is ended.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "launch/node/agent_task.h"
#include "metrics/gpu_faults.h"

namespace sxb::launch {

/// "state S (sleeping), waits in futex_wait_queue, 12 threads; kernel stack: a < b < c". What the
/// kernel does not show (the stack needs root) is left out; "gone" if there is no such process.
std::string describe_process(pid_t pid, const std::filesystem::path& proc = "/proc");

/// Asks NCCL's RAS service of the job on this node for its verbose status, as the program ncclras
/// does (protocol: src/ras/client.cc of NCCL). `address` is "HOST:PORT" as in NCCL_RAS_ADDR, by
/// default localhost:28028. Takes at most `timeout_ns`; at most 16 KiB of the answer are kept.
/// Errors say why there is no answer: NCCL before 2.24 or over NCCL_RAS_ENABLE=0 has no service.
Result<std::string> ask_nccl_ras(const std::string& address, std::int64_t timeout_ns);

/// While it is awaited: see ask_beside().
using Meanwhile = std::function<bool()>;

/// A rank knows its GPU from CUDA's errors alone; NVML knows whether it is still there. It may also hang with
/// the GPU: none after three seconds.
std::optional<metrics::GpuFault> find_lost_gpu(const AgentTask& task, const Meanwhile& meanwhile);

/// The finding "nccl_ras": what NCCL's RAS service says, or why it says nothing.
std::optional<Error> nccl_ras_evidence(const AgentTask& task, const Meanwhile& meanwhile);

}  // namespace sxb::launch
