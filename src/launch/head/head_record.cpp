#include "launch/head/head_record.h"

#include <utility>

#include "base/clock.h"

namespace sxb::launch {

record::Record head_record(const char* kind, const std::string& task, Json data) {
  return {kind, task, "", -1, monotonic_ns(), wall_ns(), std::move(data)};
}

record::Record head_finding(const std::string& task, const char* severity, const char* code,
                            const Error& error) {
  return head_record(record::kind::kFinding, task,
                     {{"severity", severity}, {"code", code}, {"message", error.what}, {"help", error.help}});
}

}  // namespace sxb::launch
