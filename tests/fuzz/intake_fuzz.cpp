// What a node may send, line by line, into the one place that takes it.
#include "launch/head/intake.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/text.h"
#include "fuzz/driver.h"
#include "plan/tally.h"
#include "record/typed.h"

namespace sxb::launch {
namespace {

constexpr const char* kNonce = "0123456789abcdef";

void check(const Intake::Line& line) {
  using Kind = Intake::Line::Kind;
  if (line.kind == Kind::kSample) {
    const auto record = record::parse_line(line.text, "sample");
    SXB_FUZZ_CHECK(record.ok() && record->kind == record::kind::kSample);
    SXB_FUZZ_CHECK(record->task == "task1" && record->node == "n1");
  }
  if (line.kind == Kind::kViolation) {
    SXB_FUZZ_CHECK(!line.error.what.empty() && line.error.what == printable_line(line.error.what));
  }
  if (line.kind != Kind::kRecord) return;
  // What goes into the journal comes out of it, and nothing of it is the head's or another's.
  SXB_FUZZ_CHECK(!record::is_head_kind(line.record.kind));
  SXB_FUZZ_CHECK(line.record.task == "task1" && line.record.node == "n1" && line.record.rank < 4);
  const std::string text = dump(record::to_json(line.record));
  SXB_FUZZ_CHECK(text.find('\n') == std::string::npos);
  const auto again = record::parse_line(text, "journal");
  SXB_FUZZ_CHECK(again.ok() && record::check(*again, "journal").ok());
  if (line.record.kind == record::kind::kFinding) {
    const auto finding = record::read<record::Finding>(line.record);
    SXB_FUZZ_CHECK(finding.message == printable(finding.message));
  }
}

}  // namespace
}  // namespace sxb::launch

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sxb;
  launch::Intake intake({launch::kNonce, "task1", "n1", {2, 3}});
  plan::Task task;
  task.phase = plan::Phase::kSft;
  plan::Tally tally(task, {{0, 0, 0}, {1, 1, 0}, {2, 0, 1}, {3, 1, 1}});
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const auto line = intake.take(rest.substr(0, end));
    launch::check(line);
    if (line.kind == launch::Intake::Line::Kind::kRecord) tally.add(line.record);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  // No input of a corpus proves an end: that takes the hash of what was sent.
  SXB_FUZZ_CHECK(intake.heard() || !intake.proof().ok());
  static_cast<void>(tally.missing());
  return 0;
}
