// The exact data check of the collectives: inputs chosen so that the result is known to the last bit
// whatever the order of the reduction, for every element type and operator.
//
// Element i of rank r's send buffer depends on (pattern, r, i) alone. A result is compared bit by bit, by the
// CPU reference (verify_reference.cpp) or on the device (verify.cu); both take their values from
// verify_pattern.h.
#pragma once

#include <cstdint>

#include "engine/kernels/dtype.h"

namespace sxb::kernels {

struct VerifyPattern {
  engine::DType dtype = engine::DType::kFloat32;
  engine::RedOp op = engine::RedOp::kSum;
  int ranks = 1;
  std::uint64_t seed = 0;  ///< another one for each check, so that stale data cannot pass
  /// Every value is the operator's fixed point (0; of prod 1): a reduction in place of it gives it again,
  /// however often, and an element that ever differs stays different (but a sum of integers that wraps
  /// round to 0 in the end). min and max keep their values: what they give once, they give again.
  bool fixed_point = false;
};

/// As `source` of the functions below: the reduction over all ranks, in place of one rank's elements.
inline constexpr int kAllRanks = -1;

namespace cpu {
/// data[i] = element first + i of rank `source`, or of the reduction.
void verify_fill(void* data, std::int64_t count, const VerifyPattern& pattern, int source,
                 std::int64_t first);
/// Number of elements of data that are not `source`'s elements first, first + 1, ...; the index of the
/// first of them goes to `first_wrong` if it is not null and there is one.
std::int64_t verify_count(const void* data, std::int64_t count, const VerifyPattern& pattern, int source,
                          std::int64_t first, std::int64_t* first_wrong = nullptr);
}  // namespace cpu

namespace cuda {
/// Device memory that verify_count adds to.
struct VerifyResult {
  unsigned long long wrong;  ///< wrong elements
  unsigned long long first;  ///< lowest address of one; start it with all bits set
};
/// As cpu::, on device memory and asynchronous on the stream. Return the cudaError_t of the launch.
int verify_fill(void* data, std::int64_t count, const VerifyPattern& pattern, int source, std::int64_t first,
                void* stream);
int verify_count(const void* data, std::int64_t count, const VerifyPattern& pattern, int source,
                 std::int64_t first, VerifyResult* result, void* stream);
}  // namespace cuda

}  // namespace sxb::kernels
