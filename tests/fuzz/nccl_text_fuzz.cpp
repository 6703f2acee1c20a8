// nccl-tests' text, made of records that anybody may have written: the first line is the sweep, the others
// are records. Who reads the text knows nothing of that: comments begin with "#", rows are figures.
#include <cctype>

#include "base/json.h"
#include "base/text.h"
#include "fuzz/inputs.h"
#include "record/record.h"
#include "report/nccl_tests/nccl_text.h"

namespace sxb::report {
namespace {

void check_text(const std::string& text) {
  fuzz::each_line(printable(text), [](std::string_view line) {
    const std::size_t first = line.find_first_not_of(' ');
    if (first == std::string_view::npos || line[first] == '#') return;
    SXB_FUZZ_CHECK(line[first] == '-' || std::isdigit(static_cast<unsigned char>(line[first])) != 0);
  });
}

}  // namespace
}  // namespace sxb::report

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sxb;
  std::string_view text = fuzz::text_of(data, size);
  const std::size_t end = std::min(text.find('\n'), text.size());
  report::NcclText sweep(try_parse_json(text.substr(0, end)).value_or(Json()), "1.2.3");
  text.remove_prefix(end);
  std::string out;
  fuzz::each_line(text, [&](std::string_view line) {
    const auto record = record::parse_line(line, "line");
    if (!record.ok()) return;
    sweep.add(*record);
    if (record->kind == record::kind::kCollective) out += sweep.add_row(*record);
  });
  report::check_text(out + sweep.finish());
  return 0;
}
