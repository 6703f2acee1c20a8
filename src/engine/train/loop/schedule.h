// Learning rate of each step. Pure.
#pragma once

#include "config/model/model.h"

namespace sxb::engine::train {

/// Rate of optimizer step `step` (from 1) of `total`: a linear ramp over warmup_steps (the rate is
/// reached at step warmup_steps), then constant, linear or cosine towards min_ratio, or times step_gamma
/// every step_every steps. Linear and cosine would be at min_ratio one step after the last, so that no step
/// of a training has the rate 0.
double learning_rate(const config::Optimizer& optimizer, std::int64_t step, std::int64_t total);

}  // namespace sxb::engine::train
