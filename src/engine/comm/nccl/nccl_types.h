// Our element types, operators and options in NCCL's terms.
#pragma once

#include <nccl.h>

#include <array>

#include "engine/comm/communicator.h"

namespace sxb::engine::comm {

ncclDataType_t nccl_type(DType dtype);
/// Of the operators that NCCL has ready; kMulSum is made from a scalar.
ncclRedOp_t nccl_op(RedOp op);
ncclConfig_t nccl_config(const CommunicatorOptions& options);

/// The bytes of one element, at the front.
using Scalar = std::array<char, 8>;
Scalar nccl_scalar(DType dtype, int value);

}  // namespace sxb::engine::comm
