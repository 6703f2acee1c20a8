// What a task is and how far it is, in a few words.
#pragma once

#include <optional>
#include <string>

#include "plan/task.h"
#include "record/record.h"

namespace sxb::cli {

/// The label of a task; of its repeats, the first being 0, also which it is: "sft 7b on 4 nodes, repeat 2".
std::string name_of(const std::string& label, int repeat);
std::string name_of(const plan::Task& task);

/// "step 12/50  loss 3.2101 ...", "32 MiB", what a record tells of a task's progress; nothing: no progress.
std::optional<std::string> news_of(const plan::Task& task, const record::Record& record);

}  // namespace sxb::cli
