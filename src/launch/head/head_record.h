// Records of the head itself.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "record/typed.h"

namespace sxb::launch {

/// Stamped now; `task` is "" for the whole run.
template <typename T>
record::Record head_record(const std::string& task, const T& fields) {
  record::Record record = record::make(fields);
  record.task = task;
  record.mono_ns = monotonic_ns();
  record.wall_ns = wall_ns();
  return record;
}
record::Record head_finding(const std::string& task, const char* severity, const char* code,
                            const Error& error);

}  // namespace sxb::launch
