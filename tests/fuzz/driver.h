// What a fuzz target and its driver agree on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

/// A target: takes any bytes, returns 0. That it crashes, hangs or calls fuzz_failed() is a finding. The
/// signature is libFuzzer's.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

/// Ends the process with what is wrong; the input is kept, as after a crash.
[[noreturn]] void fuzz_failed(std::string_view what);

/// For targets: a condition that must hold whatever the input.
#define SXB_FUZZ_CHECK(condition)              \
  do {                                         \
    if (!(condition)) fuzz_failed(#condition); \
  } while (false)
