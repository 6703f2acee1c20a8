#include "data/alpaca.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sxb::data {
namespace {

using ::testing::HasSubstr;

TEST(Alpaca, PromptWithoutInputIsStanfordsToTheLetter) {
  EXPECT_EQ(alpaca_prompt({"Name a switch.", "", "SN5600"}),
            "Below is an instruction that describes a task. Write a response that appropriately completes "
            "the request."
            "\n\n### Instruction:\nName a switch.\n\n### Response:");
}

TEST(Alpaca, PromptWithInputIsStanfordsToTheLetter) {
  EXPECT_EQ(
      alpaca_prompt({"Explain the line.", "Xid 79\nagain", "The GPU fell off the bus."}),
      "Below is an instruction that describes a task, paired with an input that provides further context. "
      "Write a response that appropriately completes the request."
      "\n\n### Instruction:\nExplain the line.\n\n### Input:\nXid 79\nagain\n\n### Response:");
}

TEST(Alpaca, BracesInTheTextAreKept) {
  EXPECT_THAT(alpaca_prompt({"print ${x:-{}}", "", ""}), HasSubstr("print ${x:-{}}\n"));
}

TEST(Alpaca, ReadsAnArrayWithForeignKeysAndEmptyOutputs) {
  const auto entries = parse_alpaca(
      R"( [{"instruction": "a", "input": "", "output": "b", "text": "x"}, {"instruction": "c", "output": ""}])",
      "x.json");
  ASSERT_TRUE(entries.ok());
  ASSERT_EQ(entries->size(), 2u);
  EXPECT_EQ((*entries)[0].output, "b");
  EXPECT_EQ((*entries)[1].instruction, "c");
  EXPECT_EQ((*entries)[1].input, "");
}

TEST(Alpaca, ReadsLines) {
  const auto entries = parse_alpaca(
      "{\"instruction\":\"a\",\"output\":\"1\"}\n\n{\"instruction\":\"b\",\"input\":\"i\",\"output\":\"2\"}",
      "x.jsonl");
  ASSERT_TRUE(entries.ok());
  ASSERT_EQ(entries->size(), 2u);
  EXPECT_EQ((*entries)[1].input, "i");
}

TEST(Alpaca, ErrorsNameTheEntry) {
  const auto entries =
      parse_alpaca(R"([{"instruction":"a","output":"b"}, {"instruction":"a","outptu":"b"}])", "x.json");
  ASSERT_FALSE(entries.ok());
  EXPECT_EQ(entries.error().where, "x.json: entry 2");
  EXPECT_THAT(entries.error().what, HasSubstr("\"output\" is missing"));
  EXPECT_THAT(entries.error().help, HasSubstr("rename \"outptu\""));
}

TEST(Alpaca, ErrorsNameTheLine) {
  const auto broken =
      parse_alpaca("{\"instruction\":\"a\",\"output\":\"1\"}\n\n{\"instruction\": \n", "x.jsonl");
  ASSERT_FALSE(broken.ok());
  EXPECT_EQ(broken.error().where, "x.jsonl: line 3, column 16");
  const auto number = parse_alpaca("{\"instruction\":\"a\",\"output\":7}\n", "x.jsonl");
  ASSERT_FALSE(number.ok());
  EXPECT_THAT(number.error().what, HasSubstr("\"output\" must be a string"));
  const auto blank = parse_alpaca("{\"instruction\":\" \",\"output\":\"7\"}\n", "x.jsonl");
  ASSERT_FALSE(blank.ok());
  EXPECT_THAT(blank.error().what, HasSubstr("\"instruction\" is empty"));
}

TEST(Alpaca, AnEmptyDatasetIsAnError) {
  for (const char* text : {"", " \n", "[]"}) {
    const auto entries = parse_alpaca(text, "x.json");
    ASSERT_FALSE(entries.ok()) << text;
    EXPECT_THAT(entries.error().what, HasSubstr("no entries"));
  }
}

TEST(Alpaca, AByteOrderMarkIsSkipped) {
  for (const char* text : {"\xEF\xBB\xBF[{\"instruction\":\"a\",\"output\":\"b\"}]",
                           "\xEF\xBB\xBF{\"instruction\":\"a\",\"output\":\"b\"}\r\n"}) {
    const auto entries = parse_alpaca(text, "x.json");
    ASSERT_TRUE(entries.ok()) << format_errors(entries.errors());
    EXPECT_EQ(entries->size(), 1u);
  }
}

// In a line of 50 kB nobody finds it by the line alone.
TEST(Alpaca, AWrongLineSaysWhereItIsWrongAndWhy) {
  const struct {
    const char* line;
    const char* place;
    const char* what;
  } cases[] = {{R"({"instruction":"a","output":"b","score":NaN})", ", column 41", "invalid literal"},
               {R"(   {"instruction":"a","output":"b","score":NaN})", ", column 44", "invalid literal"},
               {R"({"instruction":"a","output":"b",})", ", column 33", "syntax error"},
               {R"({"instruction":"a","output":"b","n":1e999})", "", "1e999"}};
  for (const auto& one : cases) {
    const auto entries =
        parse_alpaca(std::string("{\"instruction\":\"a\",\"output\":\"1\"}\n") + one.line + "\n", "x.jsonl");
    ASSERT_FALSE(entries.ok()) << one.line;
    EXPECT_EQ(entries.error().where.find("x.jsonl: line 2"), 0u) << entries.error().where;
    EXPECT_THAT(entries.error().where, HasSubstr(one.place));
    EXPECT_THAT(entries.error().what, HasSubstr(one.what));
  }
}

TEST(Alpaca, EntriesUnderAKeyAreRefusedWithTheKeys) {
  for (const char* text : {R"({"version": 1, "my data": [{"instruction": "a", "output": "b"}]})",
                           "{\n \"version\": 1,\n \"my data\": [\n {\"instruction\": \"a\"}]}\n"}) {
    const auto entries = parse_alpaca(text, "x.json");
    ASSERT_FALSE(entries.ok());
    EXPECT_THAT(entries.error().what, HasSubstr("entries under a key are not read"));
    EXPECT_THAT(entries.error().what, HasSubstr(R"("version", "my data" (a list of 1))"));
    EXPECT_THAT(entries.error().help, HasSubstr(R"(jq '.["my data"]' x.json)"));
  }
  std::string many = "{";
  for (int i = 0; i < 1000; ++i) many += (i == 0 ? "" : ",\n") + ("\"" + std::to_string(i)) + "\": {}";
  const auto entries = parse_alpaca(many + "}", "x.json");
  ASSERT_FALSE(entries.ok());
  EXPECT_THAT(entries.error().what, ::testing::EndsWith("\"7\", and 992 more"));
}

TEST(Alpaca, OneEntryMayStandOverSeveralLines) {
  const auto entries = parse_alpaca("{\n  \"instruction\": \"a\",\n  \"output\": \"b\"\n}\n", "x.json");
  ASSERT_TRUE(entries.ok()) << format_errors(entries.errors());
  EXPECT_EQ(entries->front().output, "b");
}

TEST(Alpaca, AMisspeltKeyOfTheOnlyLineIsStillNamed) {
  const auto entries = parse_alpaca(R"({"instruktion": "a", "output": "b"})", "x.jsonl");
  ASSERT_FALSE(entries.ok());
  EXPECT_EQ(entries.error().where, "x.jsonl: line 1");
  EXPECT_THAT(entries.error().help, HasSubstr("rename \"instruktion\""));
}

TEST(Alpaca, AnInputOfNullIsNone) {
  const auto entries = parse_alpaca(R"([{"instruction":"a","input":null,"output":"b"}])", "x.json");
  ASSERT_TRUE(entries.ok()) << format_errors(entries.errors());
  EXPECT_EQ(entries->front().input, "");
  EXPECT_FALSE(parse_alpaca(R"([{"instruction":"a","output":null}])", "x.json").ok());
}

TEST(Alpaca, InvalidUtf8IsAnError) {
  EXPECT_FALSE(parse_alpaca("[{\"instruction\":\"a\xff\",\"output\":\"b\"}]", "x.json").ok());
}

}  // namespace
}  // namespace sxb::data
