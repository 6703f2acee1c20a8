#include "launch/head/head_record.h"

#include "record/kinds/run.h"

namespace sxb::launch {

record::Record head_finding(const std::string& task, const char* severity, const char* code,
                            const Error& error) {
  return head_record(task, record::Finding{severity, code, error.what, error.help});
}

}  // namespace sxb::launch
