// The exact data check of the collectives: inputs chosen so that the result is known to the last bit
// whatever the order of the reduction, for every element type and operator.
//
// Element i of rank r's send buffer is value(pattern, r, i). A result is compared bit by bit, by the
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
};

namespace cpu {
/// data[i] = value(rank, first + i).
void verify_fill(void* data, std::int64_t count, const VerifyPattern& pattern, int rank, std::int64_t first);
/// Number of elements of data that are not the reduction over all ranks of elements first, first + 1, ...
std::int64_t verify_reduced(const void* data, std::int64_t count, const VerifyPattern& pattern,
                            std::int64_t first);
/// Number of elements of data that are not `source`'s elements first, first + 1, ...
std::int64_t verify_copied(const void* data, std::int64_t count, const VerifyPattern& pattern, int source,
                           std::int64_t first);
}  // namespace cpu

namespace cuda {
/// As cpu::, on device memory and asynchronous on the stream. `wrong` (device memory) is added to.
/// Returns the cudaError_t of the launch.
int verify_fill(void* data, std::int64_t count, const VerifyPattern& pattern, int rank, std::int64_t first,
                void* stream);
int verify_reduced(const void* data, std::int64_t count, const VerifyPattern& pattern, std::int64_t first,
                   unsigned long long* wrong, void* stream);
int verify_copied(const void* data, std::int64_t count, const VerifyPattern& pattern, int source,
                  std::int64_t first, unsigned long long* wrong, void* stream);
}  // namespace cuda

}  // namespace sxb::kernels
