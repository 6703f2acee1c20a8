// An optimizer step in one line: logs/steps.log, and the live display.
#pragma once

#include <cstdint>
#include <string>

#include "record/kinds/training.h"

namespace sxb::launch {

/// "step 12/50  loss 3.2101  lr 2.00e-05  1234 tokens/s  MFU 45.2 %  9.1 GiB", without what the record lacks;
/// `steps`: how many there are.
std::string step_line(const record::Step& step, std::int64_t steps);

}  // namespace sxb::launch
