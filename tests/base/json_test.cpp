#include "base/json.h"

#include <gtest/gtest.h>

#include "base/files.h"

namespace sxb {
namespace {

TEST(ParseJson, AcceptsBothKindsOfComment) {
  const auto json = parse_json("// cluster\n{\"nodes\": /* two */ 2}", "x.json");
  ASSERT_TRUE(json.ok()) << format_errors(json.errors());
  EXPECT_EQ((*json)["nodes"], 2);
}

TEST(ParseJson, KeepsTheOrderOfKeys) {
  const auto json = parse_json(R"({"z": 1, "a": 2})", "x.json");
  ASSERT_TRUE(json.ok());
  EXPECT_EQ(json->dump(), R"({"z":1,"a":2})");
}

TEST(ParseJson, ErrorSaysLineAndColumn) {
  // The closing brace on line 3 comes where a value is due.
  const auto json = parse_json("{\n  \"a\": 1,\n  \"b\": }\n", "cluster.json");
  ASSERT_FALSE(json.ok());
  EXPECT_EQ(json.error().where, "cluster.json:3:8");
  EXPECT_EQ(json.error().code, ExitCode::kUsage);
  EXPECT_NE(json.error().what.find("not valid JSON"), std::string::npos) << json.error().what;
  EXPECT_FALSE(json.error().help.empty());
}

TEST(ParseJson, ErrorInAnEmptyText) {
  const auto json = parse_json("", "empty.json");
  ASSERT_FALSE(json.ok());
  EXPECT_EQ(json.error().where, "empty.json:1:1");
}

TEST(ParseJson, RejectsTrailingText) { EXPECT_FALSE(parse_json("{} {}", "x.json").ok()); }

TEST(LoadJson, NamesTheMissingFile) {
  const auto json = load_json("/nonexistent/cluster.json");
  ASSERT_FALSE(json.ok());
  EXPECT_EQ(json.error().where, "/nonexistent/cluster.json");
}

TEST(CanonicalJson, SortsKeysAtEveryLevel) {
  const Json a = Json::parse(R"({"b": {"y": 1, "x": [3, 2]}, "a": 0.1})");
  const Json b = Json::parse(R"({"a": 0.1, "b": {"x": [3, 2], "y": 1}})");
  EXPECT_EQ(canonical_json(a), R"({"a":0.1,"b":{"x":[3,2],"y":1}})");
  EXPECT_EQ(canonical_json(a), canonical_json(b));
}

TEST(CanonicalJson, NumbersSurviveTheRoundTrip) {
  const double value = 0.1 + 0.2;
  EXPECT_EQ(Json::parse(canonical_json(Json(value))).get<double>(), value);
  EXPECT_EQ(canonical_json(Json(std::int64_t{9007199254740993})), "9007199254740993");
}

TEST(PrettyJson, IndentsByTwoAndEndsTheLine) {
  EXPECT_EQ(pretty_json(Json::parse(R"({"z":1,"a":[]})")), "{\n  \"z\": 1,\n  \"a\": []\n}\n");
}

}  // namespace
}  // namespace sxb
