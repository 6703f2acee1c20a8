// nccl-tests' file of what alltoallv sends.
#include "fuzz/inputs.h"
#include "plan/sweep.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sxb;
  for (const double scale : {1.0, 1e-3, 1e9}) {
    const auto matrix = plan::parse_traffic_matrix(std::string(fuzz::text_of(data, size)), "matrix", scale);
    if (!matrix.ok()) {
      fuzz::check_errors(matrix.errors());
      continue;
    }
    SXB_FUZZ_CHECK(matrix->most_bytes(matrix->size()) > 0);
    for (const auto& row : matrix->rows) {
      SXB_FUZZ_CHECK(row.size() == matrix->size());
      for (const std::int64_t bytes : row) SXB_FUZZ_CHECK(bytes >= 0 && bytes % 16 == 0);
    }
  }
  return 0;
}
