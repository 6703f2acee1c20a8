#include "engine/train/loop/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace sxb::engine::train {

double learning_rate(const config::Optimizer& optimizer, std::int64_t step, std::int64_t total) {
  const config::Schedule& schedule = optimizer.schedule;
  if (step < schedule.warmup_steps) {
    return optimizer.lr * static_cast<double>(step) / static_cast<double>(schedule.warmup_steps);
  }
  const std::int64_t peak = std::max<std::int64_t>(schedule.warmup_steps, 1);
  const std::int64_t after = step - peak;
  const std::int64_t length = std::max<std::int64_t>(total + 1 - peak, 1);
  const double progress = std::clamp(static_cast<double>(after) / static_cast<double>(length), 0.0, 1.0);
  const double floor = schedule.min_ratio;
  switch (schedule.kind) {
    case config::ScheduleKind::kConstant:
      return optimizer.lr;
    case config::ScheduleKind::kLinear:
      return optimizer.lr * (floor + (1 - floor) * (1 - progress));
    case config::ScheduleKind::kCosine:
      return optimizer.lr * (floor + (1 - floor) * 0.5 * (1 + std::cos(std::numbers::pi * progress)));
    case config::ScheduleKind::kStep: {
      const std::int64_t decays = schedule.step_every > 0 ? after / schedule.step_every : 0;
      return optimizer.lr * std::max(floor, std::pow(schedule.step_gamma, static_cast<double>(decays)));
    }
  }
  return optimizer.lr;
}

}  // namespace sxb::engine::train
