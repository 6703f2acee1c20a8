// Llama-2 fine-tuning of one rank, from the task to its records.
#pragma once

#include <functional>

#include "base/json.h"
#include "engine/comm/communicator.h"
#include "plan/task.h"

namespace sxb::engine {

/// Emits one record of `kind` (record::kind) with its fields.
using EmitRecord = std::function<void(const char* kind, const Json& data)>;

/// Trains as task.task.model says; emits step, training, rank and window records. Throws EngineError.
void run_training(const plan::RankTask& task, Communicator& comm, const EmitRecord& emit);

}  // namespace sxb::engine
