// Learning rate of each step. Pure.
#pragma once

#include "config/model/model.h"

namespace sxb::engine::train {

/// Rate of optimizer step `step` (from 1) of `total`: a linear ramp over warmup_steps (the rate is
/// reached at step warmup_steps), then constant, linear or cosine to min_ratio at step `total`, or
/// times step_gamma every step_every steps.
double learning_rate(const config::Optimizer& optimizer, std::int64_t step, std::int64_t total);

}  // namespace sxb::engine::train
