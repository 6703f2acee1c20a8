// What a rank runs on.
#pragma once

#include <string>

#include "base/json.h"
#include "plan/task.h"
#include "record/kinds/node.h"

namespace sxb::engine::rank {

/// Makes the rank's device the current one: the only GPU that it sees, or `cpu_threads` threads.
/// EngineError "no_gpu"; "mig" for a slice of a GPU among several ranks, which NCCL does not connect.
void set_device(const plan::RankTask& task);
/// Name of the current GPU.
std::string gpu_name();
/// What does not apply is not there.
record::Device device_facts(const plan::RankTask& task);
/// The JSON of SxbEngine::describe: versions, and the GPUs that this process sees.
Json describe_engine();

}  // namespace sxb::engine::rank
