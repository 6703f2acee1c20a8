// The tasks of a run as JSON: in its run record, and in plan.json with the commands that they lead to; and
// the manifest beside it.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "plan/task.h"

namespace sxb::launch {

class Journal;
struct RunOptions;

Json tasks_json(const std::vector<plan::Task>& tasks);

/// manifest.json and plan.json in the folder of the journal.
Status write_manifest(const Journal& journal, const RunOptions& options, const std::string& config_hash);

}  // namespace sxb::launch
