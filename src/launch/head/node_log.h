// The log of one node in one task: what it prints that is no record.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "launch/head/journal.h"
#include "record/record.h"

namespace sxb::launch {

class NodeLog {
 public:
  /// A line of it, escaped. It ends after 64 MiB, since a program that prints without end must not fill the
  /// head's disk: then there is a finding to be noted, once.
  Result<std::optional<record::Record>> append(Journal& journal, const std::string& task,
                                               const std::string& node, std::string_view text);

 private:
  std::int64_t bytes_ = 0;
};

}  // namespace sxb::launch
