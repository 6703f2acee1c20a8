#include "base/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <vector>

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

TEST(Parallel, WhatABodyThrowsReachesTheCaller) {
  std::atomic<int> calls = 0;
  const auto body = [&](std::size_t i) {
    ++calls;
    if (i == 3) throw std::runtime_error("no memory for piece 3");
  };
  try {
    for_each_index(100'000, body);
    FAIL() << "nothing was thrown";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "no memory for piece 3");
  }
  EXPECT_GE(calls, 1);
}

}  // namespace
}  // namespace sxb
