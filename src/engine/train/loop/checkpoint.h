// Weights in and out: Hugging Face safetensors folders, and random weights from the seed.
#pragma once

#include <cstdint>

#include "data/packed.h"
#include "engine/base/emitter.h"
#include "engine/train/parallel/sharding.h"
#include "plan/task.h"

namespace sxb::engine::train {

/// N(0, 0.02) for matrices, 1 for norms; a pure function of (seed, element), so any sharding starts
/// from the same bits.
void initialize_random(ShardedParameters& parameters, const Layout& layout, std::uint64_t seed,
                       const Device& device);

/// Reads F32, BF16 or F16 tensors from model.init_from. Throws EngineError naming what is missing, too much
/// or of another shape.
void initialize_from(ShardedParameters& parameters, const Layout& layout, const config::Model& model);

/// Writes task.save_dir in compute precision, with config.json and the tokenizer of `dataset` (null:
/// synthetic tokens). Rank 0 writes, unit by unit, and never holds more; all ranks take part.
void save_weights(ShardedParameters& parameters, const Layout& layout, const plan::RankTask& task,
                  const data::PackedDataset* dataset, const Device& device, const Emitter& emitter);

}  // namespace sxb::engine::train
