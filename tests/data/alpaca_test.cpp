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
  EXPECT_EQ(broken.error().where, "x.jsonl: line 3");
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

TEST(Alpaca, InvalidUtf8IsAnError) {
  EXPECT_FALSE(parse_alpaca("[{\"instruction\":\"a\xff\",\"output\":\"b\"}]", "x.json").ok());
}

}  // namespace
}  // namespace sxb::data
