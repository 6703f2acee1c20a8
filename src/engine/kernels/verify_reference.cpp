#include "engine/kernels/verify_pattern.h"

namespace sxb::kernels::cpu {

void verify_fill(void* data, std::int64_t count, const VerifyPattern& pattern, int source,
                 std::int64_t first) {
  verify_with_type(pattern.dtype, [&](auto zero) {
    using T = decltype(zero);
    const VerifyPlan plan = verify_plan<T>(pattern);
    T* values = static_cast<T*>(data);
    for (std::int64_t i = 0; i < count; ++i) values[i] = verify_element<T>(plan, source, first + i);
  });
}

std::int64_t verify_count(const void* data, std::int64_t count, const VerifyPattern& pattern, int source,
                          std::int64_t first, std::int64_t* first_wrong) {
  return verify_with_type(pattern.dtype, [&](auto zero) {
    using T = decltype(zero);
    const VerifyPlan plan = verify_plan<T>(pattern);
    const T* values = static_cast<const T*>(data);
    std::int64_t wrong = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      if (verify_same_bits(values[i], verify_element<T>(plan, source, first + i))) continue;
      if (wrong++ == 0 && first_wrong != nullptr) *first_wrong = i;
    }
    return wrong;
  });
}

}  // namespace sxb::kernels::cpu
