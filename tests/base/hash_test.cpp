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

TEST(RandomToken, Is128BitsOfHexAndNeverTheSame) {
  const std::string token = random_token();
  EXPECT_THAT(token, testing::MatchesRegex("[0-9a-f]+"));
  EXPECT_EQ(token.size(), 32U);
  EXPECT_NE(token, random_token());
}

}  // namespace
}  // namespace sxb
