#include "engine/comm/nccl/nccl_types.h"

#include <cstring>

#include "engine/kernels/verify_pattern.h"

namespace sxb::engine::comm {

ncclDataType_t nccl_type(DType dtype) {
  switch (dtype) {
    case DType::kInt8:
      return ncclInt8;
    case DType::kUint8:
      return ncclUint8;
    case DType::kInt32:
      return ncclInt32;
    case DType::kUint32:
      return ncclUint32;
    case DType::kInt64:
      return ncclInt64;
    case DType::kUint64:
      return ncclUint64;
    case DType::kFloat16:
      return ncclFloat16;
    case DType::kFloat32:
      return ncclFloat32;
    case DType::kFloat64:
      return ncclFloat64;
    case DType::kBFloat16:
      return ncclBfloat16;
    case DType::kFloat8E4M3:
      return ncclFloat8e4m3;
    case DType::kFloat8E5M2:
      return ncclFloat8e5m2;
  }
  return ncclFloat32;
}

ncclRedOp_t nccl_op(RedOp op) {
  switch (op) {
    case RedOp::kSum:
    case RedOp::kMulSum:
      return ncclSum;
    case RedOp::kProd:
      return ncclProd;
    case RedOp::kMin:
      return ncclMin;
    case RedOp::kMax:
      return ncclMax;
    case RedOp::kAvg:
      return ncclAvg;
  }
  return ncclSum;
}

ncclConfig_t nccl_config(const CommunicatorOptions& options) {
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 1;
  if (options.nvlink_centric) config.nvlinkCentricSched = 1;
  if (options.cta_policy >= 0) config.CTAPolicy = options.cta_policy;
  if (options.max_ctas > 0) config.maxCTAs = options.max_ctas;
  return config;
}

Scalar nccl_scalar(DType dtype, int value) {
  Scalar bytes{};
  kernels::verify_with_type(dtype, [&](auto zero) {
    const auto element = kernels::verify_narrow<decltype(zero)>(value);
    std::memcpy(bytes.data(), &element, sizeof(element));
  });
  return bytes;
}

}  // namespace sxb::engine::comm
