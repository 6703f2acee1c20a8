// Values of the data check, for host and device alike (see verify.h).
//
// Values are worked out in a wide type W (double, or 64-bit integers) in which everything here is
// exact, and are then exact in the element type T as well:
//   sum       small non-negative integers whose total stays below `limit`, the largest power of two up
//             to which T holds every integer, so that no partial sum is ever rounded;
//   prod      1 or 2, one rank a 3: at most 3 * 2^k, which T holds;
//   min, max  any sign and size: nothing is computed;
//   mulsum    as sum; the scalars (1 or 2) count in the total;
//   avg       for each element one rank has a power of two and all others zero. NCCL scales floats by
//             T(1/n) before the sum, Gloo after it: on a power of two both give the same bits, and
//             adding zeros changes nothing. Integers: sum / n, truncated.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "base/splitmix64.h"
#include "engine/kernels/dtype_dispatch.h"
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
struct VerifyTraits<__nv_fp8_e4m3> {
  using Wide = double;
  static constexpr int kExactBits = 4;
};
template <>
struct VerifyTraits<__nv_fp8_e5m2> {
  using Wide = double;
  static constexpr int kExactBits = 3;
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

/// Constants of one pattern and element type, worked out once per launch.
struct VerifyPlan {
  RedOp op;
  int ranks;
  bool fixed_point;
  std::uint64_t seed;
  std::uint64_t mask;         ///< low bits of the draw that make the value (avg: its exponent)
  std::int64_t contributors;  ///< sum: ranks of an element that may be non-zero; prod: that may be 2
  int min_exponent;           ///< avg: smallest power of two
};

template <typename T>
VerifyPlan verify_plan(const VerifyPattern& pattern) {
  constexpr int kBits = VerifyTraits<T>::kExactBits;
  constexpr std::uint64_t kLimit = 1ULL << kBits;
  const bool min_or_max = pattern.op == RedOp::kMin || pattern.op == RedOp::kMax;
  VerifyPlan plan{};
  plan.op = pattern.op;
  plan.ranks = pattern.ranks;
  plan.fixed_point = pattern.fixed_point && !min_or_max;
  plan.seed = pattern.seed * kSplitMix64Gamma + 1;
  plan.mask = 1;
  plan.contributors = pattern.ranks;
  if (pattern.op == RedOp::kSum || pattern.op == RedOp::kMulSum) {
    // 2^bits <= limit / weight keeps weight * (2^bits - 1) below the limit. With more ranks than that only
    // as many of them have a 1 in each element as fit below it.
    const std::uint64_t scalar = pattern.op == RedOp::kMulSum ? 2 : 1;
    const std::uint64_t share = kLimit / (scalar * static_cast<std::uint64_t>(pattern.ranks));
    int bits = 1;
    while (bits < kBits && (2ULL << bits) <= share) ++bits;
    plan.mask = (1ULL << bits) - 1;
    if (bits == 1) plan.contributors = static_cast<std::int64_t>((kLimit - 1) / scalar);
  } else if (pattern.op == RedOp::kProd) {
    plan.contributors = sizeof(T) == 1 ? 5 : 12;  // 3 * 2^5 = 96 fits int8 and fp8, 3 * 2^12 fits half
  } else if (pattern.op == RedOp::kAvg) {
    plan.mask = sizeof(T) == 1 ? 3 : 7;  // 2^3 to 2^6, or 2^8 to 2^15: in range for int8 and half
    plan.min_exponent = sizeof(T) == 1 ? 3 : 8;
  } else {
    plan.mask = kLimit - 1;
  }
  return plan;
}

/// Element `index` of rank `rank`'s send buffer. `turn`: (index + rank) % ranks, 0 for the rank that owns
/// this element; the owner moves with the index.
template <typename T>
SXB_HOST_DEVICE typename VerifyTraits<T>::Wide verify_value(const VerifyPlan& plan, int rank,
                                                            std::int64_t index, int turn) {
  using Wide = typename VerifyTraits<T>::Wide;
  if (plan.fixed_point) return plan.op == RedOp::kProd ? Wide(1) : Wide(0);
  const std::uint64_t draw =
      splitmix64_finalise(plan.seed + static_cast<std::uint64_t>(index) * 0xd1342543de82ef95ULL +
                          static_cast<std::uint64_t>(rank) * 0xaf251af3b0f025b5ULL);
  switch (plan.op) {
    case RedOp::kSum:
    case RedOp::kMulSum:
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

template <typename T, typename Wide>
SXB_HOST_DEVICE T verify_narrow(Wide value) {
  if constexpr (std::is_same<T, __half>::value) {
    return __float2half_rn(static_cast<float>(value));
  } else if constexpr (std::is_same<T, __nv_bfloat16>::value) {
    return __float2bfloat16_rn(static_cast<float>(value));
  } else if constexpr (std::is_same<T, __nv_fp8_e4m3>::value || std::is_same<T, __nv_fp8_e5m2>::value) {
    return T(static_cast<float>(value));
  } else {
    return static_cast<T>(value);
  }
}

/// 1 / ranks as NCCL has it in the type T, before it multiplies. Wider than T where that makes no
/// difference: the product is rounded to T, and a power of two times 1 / ranks has the bits of the latter.
template <typename T>
SXB_HOST_DEVICE double verify_reciprocal(int ranks) {
  if constexpr (std::is_same<T, double>::value) {
    return 1.0 / ranks;
  } else if constexpr (sizeof(T) == 1 && !std::is_integral<T>::value) {
    return static_cast<float>(verify_narrow<T>(1.0 / ranks));  // fp8: a subnormal from 64 ranks up
  } else {
    return static_cast<float>(1.0 / ranks);
  }
}

/// The reduction over all ranks of element `index`.
template <typename T>
SXB_HOST_DEVICE typename VerifyTraits<T>::Wide verify_total(const VerifyPlan& plan, std::int64_t index) {
  using Wide = typename VerifyTraits<T>::Wide;
  int turn = static_cast<int>(static_cast<std::uint64_t>(index) % static_cast<unsigned>(plan.ranks));
  Wide total = 0;
  for (int r = 0; r < plan.ranks; ++r) {
    const Wide v = verify_value<T>(plan, r, index, turn);
    if (++turn == plan.ranks) turn = 0;
    if (r == 0 && plan.op != RedOp::kMulSum) {
      total = v;
      continue;
    }
    switch (plan.op) {
      case RedOp::kSum:
      case RedOp::kAvg:
        total = static_cast<Wide>(total + v);
        break;
      case RedOp::kMulSum:
        total = static_cast<Wide>(total + v * static_cast<Wide>(engine::premul_scalar(r)));
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
  if (plan.op != RedOp::kAvg) return total;
  if (std::is_same<Wide, double>::value) {
    return static_cast<Wide>(static_cast<double>(total) * verify_reciprocal<T>(plan.ranks));
  }
  return static_cast<Wide>(total / static_cast<Wide>(plan.ranks));
}

/// Element `index` of `source`, a rank or kAllRanks.
template <typename T>
SXB_HOST_DEVICE T verify_element(const VerifyPlan& plan, int source, std::int64_t index) {
  if (source == kAllRanks) return verify_narrow<T>(verify_total<T>(plan, index));
  const auto turn = static_cast<int>((static_cast<std::uint64_t>(index) + static_cast<unsigned>(source)) %
                                     static_cast<unsigned>(plan.ranks));
  return verify_narrow<T>(verify_value<T>(plan, source, index, turn));
}

template <typename T>
SXB_HOST_DEVICE bool verify_same_bits(const T& a, const T& b) {
  using Wider = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  using Bits = std::conditional_t<sizeof(T) == 1, std::uint8_t,
                                  std::conditional_t<sizeof(T) == 2, std::uint16_t, Wider>>;
  Bits x = 0;
  Bits y = 0;
  memcpy(&x, &a, sizeof(T));
  memcpy(&y, &b, sizeof(T));
  return x == y;
}

/// Calls f(T{}) with the C++ type of an element.
template <typename F>
auto verify_with_type(DType dtype, F&& f) {
  return engine::with_builtin_type(dtype, f, [&] {
    switch (dtype) {
      case DType::kBFloat16:
        return f(__nv_bfloat16{});
      case DType::kFloat8E4M3:
        return f(__nv_fp8_e4m3{});
      case DType::kFloat8E5M2:
        return f(__nv_fp8_e5m2{});
      default:
        return f(__half{});
    }
  });
}

}  // namespace sxb::kernels
