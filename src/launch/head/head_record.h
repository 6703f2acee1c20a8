// Records of the head itself.
#pragma once

#include <string>

#include "base/result.h"
#include "record/record.h"

namespace sxb::launch {

/// Stamped now; `task` is "" for the whole run.
record::Record head_record(const char* kind, const std::string& task, Json data);
record::Record head_finding(const std::string& task, const char* severity, const char* code,
                            const Error& error);

}  // namespace sxb::launch
