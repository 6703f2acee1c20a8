#include "base/parallel.h"

#include <gtest/gtest.h>

namespace sxb {
namespace {

TEST(Parallel, EveryIndexOnceAndAllDoneAtTheEnd) {
  std::vector<int> calls(1000, 0);
  for_each_index(calls.size(), [&](std::size_t i) { ++calls[i]; });
  EXPECT_EQ(calls, std::vector<int>(1000, 1));
}

TEST(Parallel, NothingToDo) {
  for_each_index(0, [](std::size_t) { FAIL(); });
}

}  // namespace
}  // namespace sxb
