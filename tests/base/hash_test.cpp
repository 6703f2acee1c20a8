#include "base/hash.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sxb {
namespace {

TEST(HashHex, MatchesTheXxh3Reference) {
  // `printf '' | xxh128sum` and `printf abc | xxh128sum` of the xxhash package.
  EXPECT_EQ(hash_hex(""), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(hash_hex("abc"), "06b05ab6733a618578af5f94892f3950");
}

TEST(HashHex, SeesEveryByte) {
  const std::string zero("a\0b", 3);
  EXPECT_NE(hash_hex(zero), hash_hex("a"));
  EXPECT_EQ(hash_hex(zero.data(), zero.size()), hash_hex(zero));
}

TEST(LineHash, IsTheHashOfTheLinesWithTheirNewlines) {
  LineHash lines;
  EXPECT_EQ(lines.hex(), hash_hex(""));
  lines.add("one");
  lines.add("");
  EXPECT_EQ(lines.hex(), hash_hex("one\n\n"));
  EXPECT_EQ(lines.lines(), 2);
}

TEST(LineHash, KnowsOrderAndBoundsOfLines) {
  LineHash ab, ba, joined;
  ab.add("a"), ab.add("b");
  ba.add("b"), ba.add("a");
  joined.add("ab");
  EXPECT_NE(ab.hex(), ba.hex());
  EXPECT_NE(ab.hex(), joined.hex());
}

}  // namespace
}  // namespace sxb
