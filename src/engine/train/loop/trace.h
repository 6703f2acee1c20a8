// One traced step in the Chrome trace format, which Perfetto and chrome://tracing open.
#pragma once

#include <cstdint>
#include <string>

#include "base/json.h"
#include "engine/train/device/step_clock.h"
#include "engine/train/model/layout.h"

namespace sxb::engine::train {

/// Array of events: "M" names the process and its two tracks, compute (tid 0) and communication
/// (tid 1); "X" is work, with ts and dur in microseconds from the first stamp. The compute track holds
/// the step, its parts, the units inside them and the waits for communication.
Json chrome_trace(const StepMarks& marks, const std::int64_t* stamps_ns, const Layout& layout,
                  const std::string& process, int pid);

}  // namespace sxb::engine::train
