// Lines of a journal, one by one: what passes the check comes back as it was.
#include "base/json.h"
#include "fuzz/inputs.h"
#include "record/kinds/kinds.h"
#include "record/typed.h"

namespace sxb::record {
namespace {

/// Read, written and read again it says the same; what is written passes the check.
template <typename T>
void check_kind(const Record& record) {
  if (record.kind != T::kKind) return;
  const Json written = write(read<T>(record));
  SXB_FUZZ_CHECK(misfits<T>(written).empty());
  SXB_FUZZ_CHECK(dump(write(read<T>(written))) == dump(written));
}

template <typename... Kinds>
void check_kinds(const Record& record) {
  (check_kind<Kinds>(record), ...);
}

void check_line(std::string_view line) {
  const auto record = parse_line(line, "line");
  if (!record.ok()) return fuzz::check_errors(record.errors());
  check_kinds<Run, Node, Device, TaskStart, TaskEnd, Collective, Overhead, LocateNode, LocateLink,
              LocateGroup, Locate, GpuBench, Burn, Step, Training, Rank, Phases, Window, Trace, Finding,
              Sample, RankEnd, AgentEnd, RunEnd>(*record);
  if (const Status known = check(*record, "line"); !known.ok()) return fuzz::check_errors(known.errors());
  const std::string text = dump(to_json(*record));
  const auto again = parse_line(text, "again");
  SXB_FUZZ_CHECK(again.ok() && check(*again, "again").ok() && dump(to_json(*again)) == text);
}

}  // namespace
}  // namespace sxb::record

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sxb::fuzz::each_line(sxb::fuzz::text_of(data, size), sxb::record::check_line);
  return 0;
}
