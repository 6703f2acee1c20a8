#include "engine/train/device/step_clock.h"

#include <ATen/ops/zeros.h>
#include <nvtx3/nvToolsExt.h>

#include <string>

#include "base/clock.h"
#include "engine/kernels/kernels.h"
#include "engine/train/device/device.h"

namespace sxb::engine::train {
namespace {

/// Stamps kept for closing what is open: that happens in destructors, which must not throw.
constexpr int kOpen = 16;

}  // namespace

PhaseTimes phase_times(const StepMarks& marks, const std::int64_t* stamps_ns) {
  PhaseTimes times;
  for (std::size_t i = 0; i + 1 < marks.marks.size(); ++i) {
    const StepMarks::Mark& mark = marks.marks[i];
    const double ms = static_cast<double>(stamps_ns[marks.marks[i + 1].stamp] - stamps_ns[mark.stamp]) / 1e6;
    switch (mark.begins) {
      case StepPhase::kForward:
        times.forward_ms += ms;
        break;
      case StepPhase::kBackward:
        times.backward_ms += ms;
        break;
      case StepPhase::kOptimizer:
        times.optimizer_ms += ms;
        break;
      case StepPhase::kExposedComm:
        times.exposed_comm_ms += ms;
        break;
      case StepPhase::kOutside:
        break;
    }
  }
  return times;
}

StepClock::StepClock(at::Device device)
    : stamps_(at::zeros({kOpen}, at::TensorOptions().device(device).dtype(at::kLong))) {}

void StepClock::reserve(std::int64_t micro_steps, std::int64_t units) {
  // A unit is gathered twice, computed twice and reduced once: two stamps for each of them, two more
  // for each wait. The optimizer's step is less than one more micro-step.
  constexpr std::int64_t kPerUnit = 24;
  stamps_ = at::zeros({kOpen + kPerUnit * (micro_steps + 1) * (units + 1)}, stamps_.options());
}

void StepClock::begin() {
  marks_ = {};
  phase_ = StepPhase::kOutside;
}

void StepClock::enter(StepPhase phase, Stream compute) {
  check_room();
  phase_ = phase;
  marks_.marks.push_back({phase, stamp(compute)});
}

void StepClock::wait_begins(Stream compute) {
  check_room();
  if (phase_ != StepPhase::kOutside) marks_.marks.push_back({StepPhase::kExposedComm, stamp(compute)});
}

void StepClock::wait_ends(Stream compute) {
  if (phase_ != StepPhase::kOutside) marks_.marks.push_back({phase_, stamp(compute)});
}

void StepClock::check_room() const {
  if (marks_.stamps + kOpen > stamps_.numel()) {
    throw EngineError("a step has more marks than the " + std::to_string(stamps_.numel()) + " that fit",
                      "engine_error", "this is a defect of sxbench");
  }
}

int StepClock::stamp(Stream stream) {
  const int index = marks_.stamps++;
  std::int64_t* out = stamps_.data_ptr<std::int64_t>() + index;
  if (stamps_.is_cuda()) {
    kernels::cuda::timestamp(out, stream);
  } else {
    *out = monotonic_ns();
  }
  return index;
}

Span::Span(const Device& device, Track track, const char* name, int unit)
    : device_(device), span_{name, unit, track, -1, -1} {
  // The one way out of this constructor that would skip the destructor comes first.
  device_.clock->check_room();
  nvtxRangePushA(unit < 0 ? name : (name + (" " + std::to_string(unit))).c_str());
  if (blocks()) device_.clock->wait_begins(nullptr);
  if (!device_.clock->tracing()) return;
  span_.begin = device_.clock->stamp(stream());
}

Span::~Span() {
  if (span_.begin >= 0) {
    span_.end = device_.clock->stamp(stream());
    device_.clock->add_span(span_);
  }
  if (blocks()) device_.clock->wait_ends(nullptr);
  nvtxRangePop();
}

bool Span::blocks() const { return span_.track == Track::kCommunication && !device_.cuda(); }

Stream Span::stream() const {
  return span_.track == Track::kCompute ? device_.compute_raw() : device_.comm_raw();
}

}  // namespace sxb::engine::train
