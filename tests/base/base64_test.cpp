#include "base/base64.h"

#include <gtest/gtest.h>

namespace sxb {
namespace {

TEST(Base64, IsThatOfTheStandard) {
  // RFC 4648, section 10.
  const char* const vectors[][2] = {{"", ""},
                                    {"f", "Zg=="},
                                    {"fo", "Zm8="},
                                    {"foo", "Zm9v"},
                                    {"foob", "Zm9vYg=="},
                                    {"fooba", "Zm9vYmE="},
                                    {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : vectors) {
    EXPECT_EQ(to_base64(bytes), text);
    EXPECT_EQ(from_base64(text), bytes);
  }
}

TEST(Base64, CarriesEveryByte) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  EXPECT_EQ(from_base64(to_base64(bytes)), bytes);
  EXPECT_EQ(to_base64("\xfb\xff"), "+/8=");
}

TEST(Base64, EndsAtWhatIsNoneOfIt) {
  EXPECT_EQ(from_base64("Zm9v!mFy"), "foo");
  EXPECT_EQ(from_base64("Zg"), "f") << "without padding too";
}

}  // namespace
}  // namespace sxb
