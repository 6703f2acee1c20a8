// What is asked of libtorch's exceptions. Sees torch's headers: no fmt, spdlog or json here.
#include "engine/base/runtime.h"

#include <c10/util/Exception.h>
#include <gtest/gtest.h>

#include <stdexcept>

namespace sxb::engine {
namespace {

const c10::SourceLocation kHere{"f", "file.cpp", 1};

TEST(Runtime, TellsCudasErrorsFromOthers) {
  EXPECT_EQ(
      cuda_error_of(c10::AcceleratorError(kHere, 214, "CUDA error: uncorrectable ECC error encountered")),
      214);
  EXPECT_EQ(cuda_error_of(c10::Error(kHere, "shapes do not match")), 0);
  EXPECT_EQ(cuda_error_of(std::runtime_error("CUDA error")), 0);
}

TEST(Runtime, KnowsThatTheGpuIsFull) {
  EXPECT_TRUE(is_gpu_out_of_memory(c10::OutOfMemoryError(kHere, "no memory")));
  EXPECT_FALSE(is_gpu_out_of_memory(c10::Error(kHere, "CUDA out of memory")));
}

}  // namespace
}  // namespace sxb::engine
