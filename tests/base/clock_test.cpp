#include "base/clock.h"

#include <gtest/gtest.h>

namespace sxb {
namespace {

TEST(Clock, FormatsUtc) {
  const std::int64_t moment_ns = 1'795'245'220'987'654'321;  // date -u -d @1795245220
  EXPECT_EQ(format_utc(moment_ns), "2026-11-21T07:13:40Z");
  EXPECT_EQ(format_utc_compact(moment_ns), "20261121T071340Z");
  EXPECT_EQ(format_utc(0), "1970-01-01T00:00:00Z");
}

TEST(Clock, MonotonicNeverGoesBack) {
  std::int64_t last = monotonic_ns();
  for (int i = 0; i < 1000; ++i) {
    const std::int64_t now = monotonic_ns();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(Clock, WallClockIsThisCentury) {
  EXPECT_GT(wall_ns(), 1'700'000'000'000'000'000);
  EXPECT_LT(wall_ns(), 4'102'444'800'000'000'000);
}

}  // namespace
}  // namespace sxb
