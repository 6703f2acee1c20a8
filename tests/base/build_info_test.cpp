#include "base/build_info.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sxb {
namespace {

TEST(BuildInfo, NamesVersionRevisionAndCompiler) {
  EXPECT_THAT(version(), testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+"));
  EXPECT_THAT(build_id(), testing::StartsWith(std::string(version()) + "+"));
  EXPECT_THAT(build_id(), testing::HasSubstr(" "));
  EXPECT_THAT(build_id(), testing::Not(testing::HasSubstr("@")));  // configure_file replaced everything
}

}  // namespace
}  // namespace sxb
