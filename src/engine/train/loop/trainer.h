// Llama-2 fine-tuning of one rank, from the task to its records.
#pragma once

#include "engine/base/emitter.h"
#include "engine/comm/communicator.h"
#include "plan/task.h"

namespace sxb::engine::train {

/// Trains as task.task.model says; emits step, training, rank and window records. Throws EngineError.
void run_training(const plan::RankTask& task, comm::Communicator& comm, const Emitter& emitter);

}  // namespace sxb::engine::train
