// An optimizer step in one line: logs/steps.log, and the live display.
#pragma once

#include <string>

#include "plan/task.h"
#include "record/record.h"

namespace sxb::launch {

/// "step 12/50  loss 3.2101  lr 2.00e-05  1234 tokens/s  MFU 45.2 %  9.1 GiB", without what the record lacks.
std::string step_line(const plan::Task& task, const record::Record& step);

}  // namespace sxb::launch
