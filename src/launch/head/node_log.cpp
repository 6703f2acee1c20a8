#include "launch/head/node_log.h"

#include <fmt/format.h>

#include "base/text.h"
#include "base/units.h"
#include "launch/head/head_record.h"

namespace sxb::launch {
namespace {

constexpr std::int64_t kMostLogBytes = 64 << 20;

}  // namespace

Result<std::optional<record::Record>> NodeLog::append(Journal& journal, const std::string& task,
                                                      const std::string& node, std::string_view text) {
  const std::string line = printable_line(std::string(text));
  const bool cut_before = bytes_ > kMostLogBytes;
  bytes_ += static_cast<std::int64_t>(line.size()) + 1;
  if (cut_before) return std::optional<record::Record>();
  if (bytes_ <= kMostLogBytes) {
    SXB_RETURN_IF_ERROR(journal.log(node, line));
    return std::optional<record::Record>();
  }
  SXB_RETURN_IF_ERROR(journal.log(node, "-- the rest of this task's log is left out --"));
  record::Record finding = head_finding(
      task, "warning", "log_cut",
      {fmt::format("node {} has printed more than {}: the rest of its log is left out", node,
                   format_bytes(kMostLogBytes)),
       "", fmt::format("look at the end of logs/{}.log for what prints so much", node), ExitCode::kOk});
  finding.node = node;
  return std::optional<record::Record>(std::move(finding));
}

}  // namespace sxb::launch
