// The tasks of a run as JSON: in its run record, and in plan.json with the commands that they lead to.
#pragma once

#include <vector>

#include "base/json.h"
#include "plan/task.h"

namespace sxb::launch {

Json tasks_json(const std::vector<plan::Task>& tasks);

}  // namespace sxb::launch
