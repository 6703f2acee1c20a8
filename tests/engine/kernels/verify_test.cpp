// The data check itself: what it expects is what a reduction gives, in any order, and one wrong element
// is counted as one.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "engine/comm/communicator.h"
#include "engine/kernels/verify_pattern.h"

namespace sxb::kernels {
namespace {

constexpr DType kAllTypes[] = {DType::kInt8,    DType::kUint8,    DType::kInt32,      DType::kUint32,
                               DType::kInt64,   DType::kUint64,   DType::kFloat16,    DType::kFloat32,
                               DType::kFloat64, DType::kBFloat16, DType::kFloat8E4M3, DType::kFloat8E5M2};
constexpr RedOp kAllOps[] = {RedOp::kSum, RedOp::kProd, RedOp::kMin,
                             RedOp::kMax, RedOp::kAvg,  RedOp::kMulSum};
constexpr std::int64_t kCount = 300;
constexpr std::int64_t kFirst = 1000;

template <typename T>
auto widen(T value) {
  if constexpr (std::is_same_v<T, __half>) {
    return __half2float(value);
  } else if constexpr (std::is_same_v<T, __nv_bfloat16>) {
    return __bfloat162float(value);
  } else if constexpr (sizeof(T) == 1 && !std::is_integral_v<T>) {
    return static_cast<float>(value);
  } else {
    return value;
  }
}

/// One step of a reduction that rounds to T after every operation, as hardware does.
template <typename T>
T combine(RedOp op, T a, T b) {
  const auto x = widen(a);
  const auto y = widen(b);
  switch (op) {
    case RedOp::kSum:
    case RedOp::kAvg:
    case RedOp::kMulSum:
      return verify_narrow<T>(x + y);
    case RedOp::kProd:
      return verify_narrow<T>(x * y);
    case RedOp::kMin:
      return verify_narrow<T>(std::min(x, y));
    case RedOp::kMax:
      return verify_narrow<T>(std::max(x, y));
  }
  return a;
}

/// What NCCL does to an element first. Average: floats are scaled by T(1/n) before the sum, integers divided
/// after it.
template <typename T>
T scale_before(RedOp op, T value, int rank, int ranks) {
  if (op == RedOp::kMulSum) {
    const auto scalar = widen(verify_narrow<T>(engine::premul_scalar(rank)));
    return verify_narrow<T>(widen(value) * scalar);
  }
  if (op != RedOp::kAvg || std::is_integral_v<T>) return value;
  if constexpr (std::is_same_v<T, double>) return value * (1.0 / ranks);
  const auto factor = widen(verify_narrow<T>(static_cast<float>(1.0 / ranks)));
  return verify_narrow<T>(static_cast<float>(widen(value)) * static_cast<float>(factor));
}

template <typename T>
std::vector<T> reduce(const VerifyPattern& pattern, bool reversed) {
  std::vector<T> total;
  for (int k = 0; k < pattern.ranks; ++k) {
    const int rank = reversed ? pattern.ranks - 1 - k : k;
    std::vector<T> data(kCount);
    cpu::verify_fill(data.data(), kCount, pattern, rank, kFirst);
    for (T& value : data) value = scale_before(pattern.op, value, rank, pattern.ranks);
    if (k == 0) {
      total = data;
    } else {
      for (std::size_t i = 0; i < data.size(); ++i) total[i] = combine(pattern.op, total[i], data[i]);
    }
  }
  if constexpr (std::is_integral_v<T>) {
    if (pattern.op == RedOp::kAvg) {
      for (T& value : total) value = static_cast<T>(value / static_cast<T>(pattern.ranks));
    }
  }
  return total;
}

TEST(Verify, ExpectsWhatAReductionInAnyOrderGives) {
  for (const DType dtype : kAllTypes) {
    for (const RedOp op : kAllOps) {
      for (const int ranks : {1, 2, 3, 4, 7, 8, 64}) {
        const VerifyPattern pattern{dtype, op, ranks, 42};
        verify_with_type(dtype, [&](auto zero) {
          for (const bool reversed : {false, true}) {
            const auto result = reduce<decltype(zero)>(pattern, reversed);
            EXPECT_EQ(cpu::verify_count(result.data(), kCount, pattern, kAllRanks, kFirst), 0)
                << engine::comm::dtype_name(dtype) << " " << engine::comm::redop_name(op) << " of " << ranks;
          }
        });
      }
    }
  }
}

TEST(Verify, SumStaysExactWithMoreRanksThanTheTypeCounts) {
  for (const int ranks : {100, 128, 300, 1000}) {
    const VerifyPattern pattern{DType::kBFloat16, RedOp::kSum, ranks, 1};
    const auto result = reduce<__nv_bfloat16>(pattern, false);
    EXPECT_EQ(cpu::verify_count(result.data(), kCount, pattern, kAllRanks, kFirst), 0) << ranks;
  }
  const VerifyPattern int8{DType::kInt8, RedOp::kSum, 128, 1};
  EXPECT_EQ(cpu::verify_count(reduce<std::int8_t>(int8, false).data(), kCount, int8, kAllRanks, kFirst), 0);
}

TEST(Verify, CountsOneCorruptedElementAsOne) {
  for (const DType dtype : kAllTypes) {
    for (const RedOp op : kAllOps) {
      const VerifyPattern pattern{dtype, op, 4, 7};
      verify_with_type(dtype, [&](auto zero) {
        auto reduced = reduce<decltype(zero)>(pattern, false);
        auto* byte = reinterpret_cast<unsigned char*>(&reduced[123]);
        *byte = static_cast<unsigned char>(*byte ^ 1U);  // the last bit of the mantissa
        EXPECT_EQ(cpu::verify_count(reduced.data(), kCount, pattern, kAllRanks, kFirst), 1);

        decltype(reduced) copied(kCount);
        cpu::verify_fill(copied.data(), kCount, pattern, 2, 0);
        EXPECT_EQ(cpu::verify_count(copied.data(), kCount, pattern, 2, 0), 0);
        std::memset(static_cast<void*>(&copied[5]), 0xA5, sizeof(copied[5]));
        EXPECT_EQ(cpu::verify_count(copied.data(), kCount, pattern, 2, 0), 1);
      });
    }
  }
}

TEST(Verify, TellsTheFirstWrongElement) {
  const VerifyPattern pattern{DType::kFloat8E5M2, RedOp::kSum, 4, 7};
  std::vector<unsigned char> data(kCount);
  cpu::verify_fill(data.data(), kCount, pattern, kAllRanks, kFirst);
  std::int64_t first = -1;
  EXPECT_EQ(cpu::verify_count(data.data(), kCount, pattern, kAllRanks, kFirst, &first), 0);
  EXPECT_EQ(first, -1);
  data[200] ^= 1U;
  data[77] ^= 1U;
  EXPECT_EQ(cpu::verify_count(data.data(), kCount, pattern, kAllRanks, kFirst, &first), 2);
  EXPECT_EQ(first, 77);
}

/// What an element is after `times` reductions in place of the result of the one before.
template <typename T>
std::vector<T> reduce_again(const VerifyPattern& pattern, std::vector<T> result, int times) {
  for (int t = 0; t < times; ++t) {
    for (T& value : result) {
      T total{};
      for (int rank = 0; rank < pattern.ranks; ++rank) {
        const T mine = scale_before(pattern.op, value, rank, pattern.ranks);
        total = rank == 0 ? mine : combine(pattern.op, total, mine);
      }
      if constexpr (std::is_integral_v<T>) {
        if (pattern.op == RedOp::kAvg) total = static_cast<T>(total / static_cast<T>(pattern.ranks));
      }
      value = total;
    }
  }
  return result;
}

TEST(Verify, AFixedPointStaysAndAWrongElementStaysWrong) {
  for (const DType dtype : kAllTypes) {
    for (const RedOp op : kAllOps) {
      const VerifyPattern pattern{dtype, op, 3, 9, true};
      verify_with_type(dtype, [&](auto zero) {
        using T = decltype(zero);
        const std::string where =
            std::string(engine::comm::dtype_name(dtype)) + " " + engine::comm::redop_name(op);
        auto data = reduce_again(pattern, reduce<T>(pattern, false), 5);
        EXPECT_EQ(cpu::verify_count(data.data(), kCount, pattern, kAllRanks, kFirst), 0) << where;
        auto* byte = reinterpret_cast<unsigned char*>(&data[123]);
        for (std::size_t i = 0; i < sizeof(T); ++i) byte[i] ^= 0x36U;
        data = reduce_again(pattern, data, std::is_integral_v<T> ? 2 : 5);  // sums of integers wrap in time
        EXPECT_EQ(cpu::verify_count(data.data(), kCount, pattern, kAllRanks, kFirst), 1) << where;
      });
    }
  }
}

TEST(Verify, AMissingRankIsSeen) {
  for (const RedOp op : kAllOps) {
    VerifyPattern pattern{DType::kFloat32, op, 4, 7};
    pattern.ranks = 3;
    const auto without_last = reduce<float>(pattern, false);
    pattern.ranks = 4;
    EXPECT_GT(cpu::verify_count(without_last.data(), kCount, pattern, kAllRanks, kFirst), 0)
        << engine::comm::redop_name(op);
  }
}

TEST(Verify, StaleDataOfAnotherCheckIsSeen) {
  const VerifyPattern before{DType::kFloat32, RedOp::kSum, 4, 7};
  const VerifyPattern now{DType::kFloat32, RedOp::kSum, 4, 8};
  const auto stale = reduce<float>(before, false);
  EXPECT_GT(cpu::verify_count(stale.data(), kCount, now, kAllRanks, kFirst), kCount * 9 / 10);
}

}  // namespace
}  // namespace sxb::kernels
