// Values of the data check, for host and device alike (see verify.h).
//
// Values are worked out in a wide type W (double, or 64-bit integers) in which everything here is
// exact, and are then exact in the element type T as well:
//   sum       small non-negative integers whose total stays below `limit`, the largest power of two up
//             to which T holds every integer, so that no partial sum is ever rounded;
//   prod      1 or 2, one rank a 3: at most 3 * 2^k, which T holds;
//   min, max  any sign and size: nothing is computed;
//   avg       for each element one rank has a power of two and all others zero. NCCL scales floats by
//             T(1/n) before the sum, Gloo after it: on a power of two both give the same bits, and
//             adding zeros changes nothing. Integers: sum / n, truncated.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "engine/kernels/verify.h"

#ifdef __CUDACC__
#define SXB_HOST_DEVICE __host__ __device__
#else
#define SXB_HOST_DEVICE
#endif

namespace sxb::kernels {

using engine::DType;
using engine::RedOp;

/// W, and the exponent of `limit`.
template <typename T>
struct VerifyTraits {
  using Wide = std::conditional_t<std::is_signed<T>::value, std::int64_t, std::uint64_t>;
  static constexpr int kExactBits = 8 * static_cast<int>(sizeof(T)) - 1;
};
template <>
struct VerifyTraits<__half> {
  using Wide = double;
  static constexpr int kExactBits = 11;
};
template <>
struct VerifyTraits<__nv_bfloat16> {
  using Wide = double;
  static constexpr int kExactBits = 8;
};
template <>
struct VerifyTraits<float> {
  using Wide = double;
  static constexpr int kExactBits = 24;
};
template <>
struct VerifyTraits<double> {
  using Wide = double;
  static constexpr int kExactBits = 53;
};

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): every input bit moves every output bit.
SXB_HOST_DEVICE inline std::uint64_t verify_mix(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

/// Constants of one pattern and element type, worked out once per launch.
struct VerifyPlan {
  RedOp op;
  int ranks;
  std::uint64_t seed;
  std::uint64_t mask;         ///< low bits of the draw that make the value (avg: its exponent)
  std::int64_t contributors;  ///< sum: ranks of an element that may be non-zero; prod: that may be 2
  int min_exponent;           ///< avg: smallest power of two
};

template <typename T>
VerifyPlan verify_plan(const VerifyPattern& pattern) {
  constexpr int kBits = VerifyTraits<T>::kExactBits;
  constexpr std::uint64_t kLimit = 1ULL << kBits;
  VerifyPlan plan{pattern.op, pattern.ranks, pattern.seed * 0x9e3779b97f4a7c15ULL + 1, 1, pattern.ranks, 0};
  if (pattern.op == RedOp::kSum) {
    // 2^bits <= limit / ranks keeps ranks * (2^bits - 1) below the limit. With more ranks than that only
    // limit - 1 of them have a 1 in each element.
    const std::uint64_t share = kLimit / static_cast<std::uint64_t>(pattern.ranks);
    int bits = 1;
    while (bits < kBits && (2ULL << bits) <= share) ++bits;
    plan.mask = (1ULL << bits) - 1;
    if (bits == 1) plan.contributors = static_cast<std::int64_t>(kLimit - 1);
  } else if (pattern.op == RedOp::kProd) {
    plan.contributors = sizeof(T) == 1 ? 5 : 12;  // 3 * 2^5 = 96 fits int8, 3 * 2^12 fits half
  } else if (pattern.op == RedOp::kAvg) {
    plan.mask = sizeof(T) == 1 ? 3 : 7;  // 2^3 to 2^6, or 2^8 to 2^15: in range for int8 and half
    plan.min_exponent = sizeof(T) == 1 ? 3 : 8;
  } else {
    plan.mask = kLimit - 1;
  }
  return plan;
}

/// Element `index` of rank `rank`'s send buffer.
template <typename T>
SXB_HOST_DEVICE typename VerifyTraits<T>::Wide verify_value(const VerifyPlan& plan, int rank,
                                                            std::int64_t index) {
  using Wide = typename VerifyTraits<T>::Wide;
  const auto i = static_cast<std::uint64_t>(index);
  const std::uint64_t draw = verify_mix(plan.seed + i * 0xd1342543de82ef95ULL +
                                        static_cast<std::uint64_t>(rank) * 0xaf251af3b0f025b5ULL);
  // 0 for the rank that owns this element; the owner moves with the index.
  const auto turn = static_cast<std::int64_t>((i + static_cast<std::uint64_t>(rank)) %
                                              static_cast<std::uint64_t>(plan.ranks));
  switch (plan.op) {
    case RedOp::kSum:
      return turn < plan.contributors ? static_cast<Wide>(draw & plan.mask) : Wide(0);
    case RedOp::kProd:
      if (turn == 0) return Wide(3);
      return turn <= plan.contributors && (draw & 1) != 0 ? Wide(2) : Wide(1);
    case RedOp::kAvg:
      return turn == 0
                 ? static_cast<Wide>(1ULL << ((draw & plan.mask) + static_cast<unsigned>(plan.min_exponent)))
                 : Wide(0);
    case RedOp::kMin:
    case RedOp::kMax:
      break;
  }
  const auto size = static_cast<Wide>((draw & plan.mask) | 1);  // never zero: -0 and 0 would compare as equal
  return std::is_signed<Wide>::value && (draw >> 63) != 0 ? static_cast<Wide>(Wide(0) - size) : size;
}

/// The reduction over all ranks of element `index`.
template <typename T>
SXB_HOST_DEVICE typename VerifyTraits<T>::Wide verify_total(const VerifyPlan& plan, std::int64_t index) {
  using Wide = typename VerifyTraits<T>::Wide;
  Wide total = verify_value<T>(plan, 0, index);
  for (int r = 1; r < plan.ranks; ++r) {
    const Wide v = verify_value<T>(plan, r, index);
    switch (plan.op) {
      case RedOp::kSum:
      case RedOp::kAvg:
        total = static_cast<Wide>(total + v);
        break;
      case RedOp::kProd:
        total = static_cast<Wide>(total * v);
        break;
      case RedOp::kMin:
        total = v < total ? v : total;
        break;
      case RedOp::kMax:
        total = v > total ? v : total;
        break;
    }
  }
  if (plan.op == RedOp::kAvg) {
    if (std::is_same<T, double>::value)
      return static_cast<Wide>(static_cast<double>(total) * (1.0 / plan.ranks));
    if (std::is_same<Wide, double>::value) {
      return static_cast<Wide>(static_cast<double>(total) *
                               static_cast<double>(static_cast<float>(1.0 / plan.ranks)));
    }
    return static_cast<Wide>(total / static_cast<Wide>(plan.ranks));
  }
  return total;
}

template <typename T, typename Wide>
SXB_HOST_DEVICE T verify_narrow(Wide value) {
  if constexpr (std::is_same<T, __half>::value) {
    return __float2half_rn(static_cast<float>(value));
  } else if constexpr (std::is_same<T, __nv_bfloat16>::value) {
    return __float2bfloat16_rn(static_cast<float>(value));
  } else {
    return static_cast<T>(value);
  }
}

template <typename T>
SXB_HOST_DEVICE bool verify_same_bits(const T& a, const T& b) {
  if constexpr (sizeof(T) == 1) {
    return a == b;
  } else {
    using Bits = std::conditional_t<sizeof(T) == 2, std::uint16_t,
                                    std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>>;
    Bits x = 0;
    Bits y = 0;
    memcpy(&x, &a, sizeof(T));
    memcpy(&y, &b, sizeof(T));
    return x == y;
  }
}

/// Calls f(T{}) with the C++ type of an element.
template <typename F>
auto verify_with_type(DType dtype, F&& f) {
  switch (dtype) {
    case DType::kInt8:
      return f(std::int8_t{});
    case DType::kUint8:
      return f(std::uint8_t{});
    case DType::kInt32:
      return f(std::int32_t{});
    case DType::kUint32:
      return f(std::uint32_t{});
    case DType::kInt64:
      return f(std::int64_t{});
    case DType::kUint64:
      return f(std::uint64_t{});
    case DType::kFloat16:
      return f(__half{});
    case DType::kFloat64:
      return f(double{});
    case DType::kBFloat16:
      return f(__nv_bfloat16{});
    case DType::kFloat32:
      break;
  }
  return f(float{});
}

}  // namespace sxb::kernels
