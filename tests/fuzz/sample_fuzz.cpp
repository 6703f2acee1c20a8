// A file of samples.
#include <cmath>

#include "analysis/read/sample_reader.h"
#include "fuzz/inputs.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sxb;
  static fuzz::MemoryFile file;
  std::size_t lines = 0, taken = 0;
  fuzz::each_line(fuzz::text_of(data, size), [&](std::string_view) { ++lines; });
  const bool whole =
      analysis::read_samples(file.put(fuzz::text_of(data, size)), [&](const analysis::SampleLine& line) {
        ++taken;
        for (const double value : line.values) SXB_FUZZ_CHECK(!std::isinf(value));
        for (const double value : {line.cpu_pct, line.rx_bytes, line.tx_bytes})
          SXB_FUZZ_CHECK(!std::isinf(value));
      });
  SXB_FUZZ_CHECK(whole && taken <= lines);
  return 0;
}
