#include "engine/bench/memory/memory.h"

#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "engine/kernels/verify_pattern.h"

namespace sxb::engine::bench {
namespace {

template <typename T>
std::string number_text(T value) {
  if constexpr (std::is_integral_v<T>) {
    return std::to_string(value);
  } else {
    char text[40];
    std::snprintf(text, sizeof(text), sizeof(T) == 8 ? "%.17g" : "%.9g", static_cast<double>(value));
    return text;
  }
}

}  // namespace

std::string element_text(DType dtype, std::uint64_t bits) {
  return kernels::verify_with_type(dtype, [&](auto zero) {
    using T = decltype(zero);
    T value{};
    std::memcpy(static_cast<void*>(&value), &bits,
                sizeof(T));  // little endian, as every machine that CUDA runs on
    char raw[24];
    std::snprintf(raw, sizeof(raw), " (0x%0*" PRIx64 ")", static_cast<int>(2 * sizeof(T)), bits);
    if constexpr (std::is_arithmetic_v<T>) {
      return number_text(value) + raw;
    } else {
      return number_text(static_cast<float>(value)) + raw;
    }
  });
}

void Memory::expect(const void* data, std::int64_t count, const kernels::VerifyPattern& pattern, int source,
                    std::int64_t first) {
  if (count == 0) return;
  expectations_.push_back({data, count, pattern, source, first});
  check(expectations_.back());
}

Wrong Memory::take_wrong() {
  const Tally tally = take_tally();
  Wrong wrong{tally.count, tally.first, 0, 0};
  // The last that covers the address: the same buffer may have been checked more than once.
  for (auto it = expectations_.rbegin(); wrong.first != nullptr && it != expectations_.rend(); ++it) {
    const std::int64_t size = dtype_size(it->pattern.dtype);
    const std::int64_t at = static_cast<const char*>(wrong.first) - static_cast<const char*>(it->data);
    if (at < 0 || at >= it->count * size) continue;
    kernels::cpu::verify_fill(&wrong.expected, 1, it->pattern, it->source, it->first + at / size);
    read(&wrong.found, wrong.first, size);
    break;
  }
  expectations_.clear();
  return wrong;
}

}  // namespace sxb::engine::bench
