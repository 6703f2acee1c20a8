// What a training task needs before its first step: checks that refuse it early, and its data.
#pragma once

#include <optional>
#include <string>

#include "config/model/model.h"
#include "data/packed.h"
#include "engine/train/parallel/sharding.h"
#include "plan/task.h"

namespace sxb::engine::train {

/// training.precision with `auto` resolved: BF16 on GPUs, FP32 on CPUs.
bool trains_in_bf16(const config::Training& training, bool cuda);

/// Of a sharding that is not kAuto.
ShardingOptions sharding_options(const config::Training& training, config::Sharding sharding);

/// The kernels move 16 bytes at a time: refuses shapes that do not divide, before any memory is taken.
/// EngineError "shape_unsupported" or "precision_unsupported".
void check_shape(const config::Architecture& arch, bool cuda, bool bf16);

/// Why this task launches its steps kernel by kernel; empty: it replays them as a CUDA graph.
/// EngineError "cuda_graph_unusable" if training.cuda_graph is on and they cannot be replayed.
std::string graph_obstacle(const plan::RankTask& task);

/// The packed shards of the task, checked against its model; nothing for synthetic tokens.
/// EngineError "dataset_invalid" or "vocabulary_overflow".
std::optional<data::PackedDataset> open_dataset(const plan::RankTask& task);

}  // namespace sxb::engine::train
