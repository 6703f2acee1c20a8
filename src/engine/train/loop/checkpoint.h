// Weights in and out: Hugging Face safetensors folders, and random weights from the seed.
#pragma once

#include <cstdint>
#include <string>

#include "engine/train/parallel/sharding.h"

namespace sxb::engine::train {

/// N(0, 0.02) for matrices, 1 for norms; a pure function of (seed, element), so any sharding starts
/// from the same bits.
void initialize_random(ShardedParameters& parameters, const Layout& layout, std::uint64_t seed,
                       const Device& device);

/// Reads F32, BF16 or F16 tensors. Throws EngineError naming the tensor that is missing or has
/// another shape.
void initialize_from(ShardedParameters& parameters, const Layout& layout, const std::string& folder,
                     const Device& device);

/// Writes model.safetensors (compute precision) and config.json; rank 0 writes, all ranks take part.
void save_weights(ShardedParameters& parameters, const Layout& layout, const std::string& folder, int rank,
                  const Device& device);

}  // namespace sxb::engine::train
