#include "engine/kernels/verify_pattern.h"

namespace sxb::kernels::cpu {
namespace {

template <typename T, typename Expected>
std::int64_t count_wrong(const void* data, std::int64_t count, Expected&& expected) {
  const T* values = static_cast<const T*>(data);
  std::int64_t wrong = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    if (!verify_same_bits(values[i], verify_narrow<T>(expected(i)))) ++wrong;
  }
  return wrong;
}

}  // namespace

void verify_fill(void* data, std::int64_t count, const VerifyPattern& pattern, int rank, std::int64_t first) {
  verify_with_type(pattern.dtype, [&](auto zero) {
    using T = decltype(zero);
    const VerifyPlan plan = verify_plan<T>(pattern);
    T* values = static_cast<T*>(data);
    for (std::int64_t i = 0; i < count; ++i)
      values[i] = verify_narrow<T>(verify_value<T>(plan, rank, first + i));
  });
}

std::int64_t verify_reduced(const void* data, std::int64_t count, const VerifyPattern& pattern,
                            std::int64_t first) {
  return verify_with_type(pattern.dtype, [&](auto zero) {
    using T = decltype(zero);
    const VerifyPlan plan = verify_plan<T>(pattern);
    return count_wrong<T>(data, count, [&](std::int64_t i) { return verify_total<T>(plan, first + i); });
  });
}

std::int64_t verify_copied(const void* data, std::int64_t count, const VerifyPattern& pattern, int source,
                           std::int64_t first) {
  return verify_with_type(pattern.dtype, [&](auto zero) {
    using T = decltype(zero);
    const VerifyPlan plan = verify_plan<T>(pattern);
    return count_wrong<T>(data, count,
                          [&](std::int64_t i) { return verify_value<T>(plan, source, first + i); });
  });
}

}  // namespace sxb::kernels::cpu
