#include "record/record.h"

#include <gtest/gtest.h>

#include <string>

namespace sxb::record {
namespace {

Record step_record() {
  Record record;
  record.kind = kind::kStep;
  record.task = "0123abcd";
  record.node = "node001";
  record.rank = 3;
  record.mono_ns = 9'007'199'254'740'993;  // above 2^53: would not survive a double
  record.wall_ns = 1'795'245'220'987'654'321;
  record.data = {{"step", 7}, {"loss", 1.0 / 3}, {"mfu", nullptr}};
  return record;
}

TEST(Record, SurvivesTheRoundTrip) {
  const Record before = step_record();
  const auto after = parse_record(Json::parse(to_json(before).dump()), "records.jsonl:1");
  ASSERT_TRUE(after.ok()) << format_errors(after.errors());
  EXPECT_EQ(after->kind, before.kind);
  EXPECT_EQ(after->task, before.task);
  EXPECT_EQ(after->node, before.node);
  EXPECT_EQ(after->rank, before.rank);
  EXPECT_EQ(after->mono_ns, before.mono_ns);
  EXPECT_EQ(after->wall_ns, before.wall_ns);
  EXPECT_EQ(after->data, before.data);
  EXPECT_TRUE(after->data["mfu"].is_null());
}

TEST(Record, LeavesOutWhatDoesNotApply) {
  Record record;
  record.kind = kind::kRun;
  const Json json = to_json(record);
  EXPECT_FALSE(json.contains("task"));
  EXPECT_FALSE(json.contains("node"));
  EXPECT_FALSE(json.contains("rank"));
  const auto parsed = parse_record(json, "x");
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->rank, -1);
  EXPECT_EQ(parsed->node, "");
}

TEST(Record, RankZeroIsARank) {
  Record record = step_record();
  record.rank = 0;
  EXPECT_EQ(parse_record(to_json(record), "x")->rank, 0);
}

TEST(Record, WireLineIsPrefixAndOneLine) {
  Record record = step_record();
  record.data["message"] = "two\nlines";
  const std::string line = to_wire("cafe", record);
  ASSERT_EQ(line.rfind(kWirePrefix, 0), 0U);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto wire = find_wire(line, "cafe");
  ASSERT_TRUE(wire);
  EXPECT_EQ(wire->before, "");
  const auto parsed = parse_line(wire->json, "wire");
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->data["message"], "two\nlines");
}

TEST(Record, WireLineIsFoundByItsNonceAlone) {
  const std::string line = to_wire("cafe", step_record());
  EXPECT_EQ(find_wire("login noise" + line, "cafe")->before, "login noise");
  EXPECT_EQ(find_wire(":::SXB beef {}" + line, "cafe")->before, ":::SXB beef {}");
  for (const char* other : {"", "caf", "cafe0", "beef"}) EXPECT_FALSE(find_wire(line, other)) << other;
  EXPECT_FALSE(find_wire(":::SXB cafe", "cafe"));
  EXPECT_FALSE(find_wire("", "cafe"));
}

TEST(Record, RefusesAnotherSchema) {
  Json json = to_json(step_record());
  json["v"] = 2;
  const auto parsed = parse_record(json, "records.jsonl:12");
  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(parsed.error().where, "records.jsonl:12");
  EXPECT_NE(parsed.error().what.find("schema 2"), std::string::npos);
}

TEST(Record, RefusesWhatIsNotARecord) {
  for (const char* text : {"{}", "[]", "3", R"({"v":1})", R"({"v":"1","kind":"step"})",
                           R"({"v":1,"kind":"step","rank":"zero"})"}) {
    const auto parsed = parse_record(Json::parse(text), "x");
    EXPECT_FALSE(parsed.ok()) << text;
  }
}

}  // namespace
}  // namespace sxb::record
