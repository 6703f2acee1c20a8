#include "base/units.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <utility>

namespace sxb {
namespace {

TEST(ParseBytes, ReadsBinarySuffixes) {
  const std::pair<const char*, std::int64_t> cases[] = {{"8", 8},
                                                        {"32K", 32 * kKiB},
                                                        {"32k", 32 * kKiB},
                                                        {"1M", kMiB},
                                                        {"8G", 8 * kGiB},
                                                        {"2T", 2048 * kGiB},
                                                        {"1.5G", 3 * kGiB / 2},
                                                        {"4KiB", 4 * kKiB},
                                                        {"4 KB", 4 * kKiB},
                                                        {" 7B ", 7},
                                                        {"0", 0}};
  for (const auto& [text, bytes] : cases) {
    const auto parsed = parse_bytes(text);
    ASSERT_TRUE(parsed.ok()) << text;
    EXPECT_EQ(*parsed, bytes) << text;
  }
}

TEST(ParseBytes, RejectsWhatIsNotASize) {
  for (const char* text : {"", "G", "-1", "8X", "8GG", "1e400", "nan", "inf", "8G8", "9e18K"}) {
    const auto parsed = parse_bytes(text);
    EXPECT_FALSE(parsed.ok()) << text;
  }
  EXPECT_EQ(parse_bytes("8X").error().what, "\"8X\" is not a size");
  EXPECT_NE(parse_bytes("8X").error().help.find("8G"), std::string::npos);
}

TEST(FormatBytes, PicksTheLargestUnitThatKeepsANumberAboveOne) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(32 * kKiB), "32 KiB");
  EXPECT_EQ(format_bytes(3 * kGiB / 2), "1.5 GiB");
  EXPECT_EQ(format_bytes(4096 * kGiB), "4 TiB");
}

TEST(FormatBytes, StaysShortAtTheEndsOfTheRange) {
  EXPECT_EQ(format_bytes(5000 * 1024 * kGiB), "4.9 PiB");
  EXPECT_EQ(format_bytes(std::numeric_limits<std::int64_t>::max()), "8 EiB");
  EXPECT_EQ(format_bytes(std::numeric_limits<std::int64_t>::min()), "-8 EiB");
}

TEST(FormatBytes, WholeSizesCanBeReadBack) {
  for (const std::int64_t bytes : {std::int64_t{8}, 4 * kKiB, 16 * kMiB, 8 * kGiB}) {
    EXPECT_EQ(*parse_bytes(format_bytes(bytes)), bytes);
  }
}

TEST(ParseSeconds, ReadsNumbersWithAUnit) {
  EXPECT_EQ(*parse_seconds("90"), 90);
  EXPECT_EQ(*parse_seconds("60s"), 60);
  EXPECT_EQ(*parse_seconds("1.5m"), 90);
  EXPECT_EQ(*parse_seconds("12h"), 43'200);
  EXPECT_EQ(*parse_seconds("2d"), 172'800);
  for (const char* text : {"", "m", "0", "0.5s", "5 weeks", "-3s", "1e30"}) {
    EXPECT_FALSE(parse_seconds(text).ok()) << text;
  }
  EXPECT_NE(parse_seconds("5 weeks").error().help.find("12h"), std::string::npos);
}

TEST(FormatDuration, PicksTheUnit) {
  EXPECT_EQ(format_duration(12), "12 ns");
  EXPECT_EQ(format_duration(850'000), "850 µs");
  EXPECT_EQ(format_duration(12'340'000), "12.3 ms");
  EXPECT_EQ(format_duration(4'200'000'000), "4.2 s");
  EXPECT_EQ(format_duration(370'000'000'000), "06:10");
  EXPECT_EQ(format_duration(3'661'000'000'000), "1:01:01");
}

TEST(FormatFixed, HasNoFigureThatFillsALine) {
  EXPECT_EQ(format_fixed(12.345, 1), "12.3");
  EXPECT_EQ(format_fixed(-0.5, 0), "-0");
  EXPECT_EQ(format_fixed(999'999'999'999'999, 0), "999999999999999");
  EXPECT_EQ(format_fixed(1e15, 0), "1.000e+15");
  EXPECT_EQ(format_fixed(-1e308, 4), "-1.000e+308");
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(format_fixed(infinity, 1), "inf");
  EXPECT_EQ(format_fixed(std::nan(""), 1), "nan");
}

TEST(Saturated, EndsWhereTheRangeDoes) {
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  constexpr auto kMin = std::numeric_limits<std::int64_t>::min();
  EXPECT_EQ(saturated(2.5), 3);
  EXPECT_EQ(saturated(-1e3), -1000);
  EXPECT_EQ(saturated(0x1p62), std::int64_t{1} << 62);
  EXPECT_EQ(saturated(0x1p63), kMax);
  EXPECT_EQ(saturated(1e308), kMax);
  EXPECT_EQ(saturated(-0x1p63), kMin);
  EXPECT_EQ(saturated(-1e308), kMin);
  EXPECT_EQ(saturated(std::numeric_limits<double>::infinity()), kMax);
  EXPECT_EQ(saturated(std::nan("")), 0);
}

}  // namespace
}  // namespace sxb
