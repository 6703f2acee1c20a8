// Alpaca datasets: arrays and lines.
#include "base/text.h"
#include "data/alpaca.h"
#include "fuzz/inputs.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sxb;
  const auto entries = data::parse_alpaca(fuzz::text_of(data, size), "data.json");
  if (!entries.ok()) {
    fuzz::check_errors(entries.errors());
    return 0;
  }
  SXB_FUZZ_CHECK(!entries->empty());
  for (const data::Instruction& entry : *entries) {
    SXB_FUZZ_CHECK(!trim(entry.instruction).empty());
    SXB_FUZZ_CHECK(is_utf8(data::alpaca_prompt(entry)) && is_utf8(entry.output));
  }
  return 0;
}
