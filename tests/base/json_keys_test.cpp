#include "base/json_keys.h"

#include <gmock/gmock.h>

#include "base/json.h"

namespace sxb {
namespace {

using ::testing::HasSubstr;

Errors repeated(const std::string& text) {
  EXPECT_TRUE(parse_json(text, "x.json").ok()) << text;
  return check_keys(text, "x.json").errors();
}

TEST(CheckKeys, NamesBothLines) {
  const Errors errors = repeated("{\n  \"nodes\": \"n[1-2]\", // one\n  \"a\": {},\n  \"nodes\": 3\n}");
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0].where, "x.json:4");
  EXPECT_THAT(errors[0].what, HasSubstr("\"nodes\" stands twice, in line 2 and in line 4"));
}

TEST(CheckKeys, LooksIntoEveryObject) {
  EXPECT_EQ(repeated(R"([{"a": {"b": 1, "c": [{"d": 1, "d": 2}], "b": 2}}, {"a": 1, "a": 2}])").size(), 3u);
  EXPECT_EQ(repeated(R"({"name": 1, "n\u0061me": 2})").size(), 1u) << "the same key, spelled differently";
  EXPECT_EQ(repeated(R"({"a\"b": 1, "a\"b": 2})").size(), 1u);
}

TEST(CheckKeys, LeavesWhatOnlyLooksLikeIt) {
  for (const char* text :
       {R"({"a": "a", "b": "b,a", "c": ["a", "a"], "d": {"a": 1}})", R"({"a": "\"a\": 1, \"a\": 2"})",
        "{\"a\": 1 // , \"a\": 2\n}", "{\"a\": 1 /* , \"a\":\n 2 */}", R"("a")", "[]", "{} // \"",
        R"({"a": "/", "b": "//"})"}) {
    EXPECT_TRUE(repeated(text).empty()) << text;
  }
}

TEST(CheckKeys, CommentsCountAsLines) {
  const Errors errors = repeated("// one\n/* two\n three */ {\"a\": 1,\n\"a\": 2}");
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0].where, "x.json:4");
  EXPECT_THAT(errors[0].what, HasSubstr("in line 3 and in line 4"));
}

TEST(ParseJson, ANumberThatNoDoubleHoldsHasItsPlace) {
  const auto json = parse_json("{\n  \"a\": 1e999\n}", "x.json");
  ASSERT_FALSE(json.ok());
  EXPECT_EQ(json.error().where, "x.json:2:12");
  EXPECT_EQ(json.error().code, ExitCode::kUsage);
}

}  // namespace
}  // namespace sxb
