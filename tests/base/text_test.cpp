#include "base/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sxb {
namespace {

using testing::ElementsAre;

TEST(Split, KeepsEmptyPieces) {
  EXPECT_THAT(split("a,b", ','), ElementsAre("a", "b"));
  EXPECT_THAT(split(",a,,", ','), ElementsAre("", "a", "", ""));
  EXPECT_THAT(split("", ','), ElementsAre(""));
}

TEST(Join, IsTheInverseOfSplit) {
  EXPECT_EQ(join({"a", "", "b"}, ", "), "a, , b");
  EXPECT_EQ(join({}, ","), "");
  EXPECT_EQ(join(split("x,,y,", ','), ","), "x,,y,");
}

TEST(Trim, TakesWhiteSpaceFromBothEnds) {
  EXPECT_EQ(trim(" \t a b\r\n"), "a b");
  EXPECT_EQ(trim(" \n"), "");
  EXPECT_EQ(trim(""), "");
}

TEST(EditDistance, CountsInsertionsDeletionsAndSubstitutions) {
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
  EXPECT_EQ(edit_distance("", "abc"), 3);
  EXPECT_EQ(edit_distance("abc", ""), 3);
  EXPECT_EQ(edit_distance("same", "same"), 0);
  EXPECT_EQ(edit_distance("gpus", "gpsu"), 1);  // a swap is one edit
  EXPECT_EQ(edit_distance("ca", "abc"), 3);     // ... of neighbours that are not edited again
}

TEST(DidYouMean, FindsTypingErrorsOnly) {
  const std::vector<std::string> keys = {"gpus", "host", "transport", "slots"};
  EXPECT_EQ(did_you_mean("gpu", keys), "gpus");
  EXPECT_EQ(did_you_mean("trasnport", keys), "transport");
  EXPECT_EQ(did_you_mean("precision", keys), "");
  EXPECT_EQ(did_you_mean("gpus", {}), "");
}

TEST(DidYouMean, TakesTheNearestAndOfEqualsTheOneThatStartsAlike) {
  EXPECT_EQ(did_you_mean("warmup_step", {"warmup_stop", "warmup_steps", "warmup_stem"}), "warmup_steps");
  EXPECT_EQ(did_you_mean("--modles", {"--nodes", "--models"}), "--models");
  EXPECT_EQ(did_you_mean("7bb", {"13b", "70b", "7b", "tiny"}), "7b");
  EXPECT_EQ(did_you_mean("warmup_steps", {"warmup_stop", "warmup_steps"}), "warmup_steps");
}

TEST(Suggest, FallsBackToTheList) {
  EXPECT_EQ(suggest("tinny", {"tiny", "7b"}), "did you mean \"tiny\"?");
  EXPECT_EQ(suggest("mistral", {"tiny", "7b"}), "known: tiny, 7b");
}

TEST(Printable, LeavesWhatPeopleWriteAsItIs) {
  for (const char* text : {"", "plain text", "two\nlines\tand a tab", "850 µs · 3 × 8", "名前", "\U0001F600",
                           "\u00A0", "\u202F", "a literal \\x1b"}) {
    EXPECT_EQ(printable(text), text);
  }
}

TEST(Printable, EscapesWhatATerminalObeys) {
  EXPECT_EQ(printable("\x1b]0;title\x07\x1b[2J"), "\\x1b]0;title\\x07\\x1b[2J");
  EXPECT_EQ(printable("ok\rfailed\b\x7f"), "ok\\x0dfailed\\x08\\u007f");
  EXPECT_EQ(printable(std::string("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(printable("\u0085 \u009b31m \u0080\u009f"), "\\u0085 \\u009b31m \\u0080\\u009f");
  for (int code = 0; code < 0x20; ++code) {
    const bool layout = code == '\n' || code == '\t';
    EXPECT_EQ(printable(std::string(1, static_cast<char>(code))).size(), layout ? 1u : 4u) << code;
  }
}

TEST(Printable, EscapesWhatTurnsTheDirectionOfWriting) {
  EXPECT_EQ(printable("node\u202eexe.txt"), "node\\u202eexe.txt");
  EXPECT_EQ(printable("\u202a\u202b\u202c\u202d"), "\\u202a\\u202b\\u202c\\u202d");
  EXPECT_EQ(printable("\u2066\u2067\u2068\u2069"), "\\u2066\\u2067\\u2068\\u2069");
  EXPECT_EQ(printable("\u2029\u2065\u206a"), "\u2029\u2065\u206a");  // their neighbours
}

TEST(Printable, EscapesEachByteThatIsNoUtf8) {
  EXPECT_EQ(printable("caf\xe9 au lait"), "caf\\xe9 au lait");  // Latin-1
  EXPECT_EQ(printable("\x9b"
                      "31m"),
            "\\x9b"
            "31m");                                                             // C1 of 8 bit
  EXPECT_EQ(printable("\xc0\x9b \xe0\x80\x9b"), "\\xc0\\x9b \\xe0\\x80\\x9b");  // overlong
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");                      // half of a pair
  EXPECT_EQ(printable("\xf4\x90\x80\x80\xf8"), "\\xf4\\x90\\x80\\x80\\xf8");    // beyond Unicode
  EXPECT_EQ(printable("cut \xe2\x80"), "cut \\xe2\\x80");
  EXPECT_EQ(printable("\xe2\x80\x1b["), "\\xe2\\x80\\x1b[");  // an escape does not hide in a torn character
}

TEST(Printable, LeavesNothingToEscapeInAnyText) {
  // Every pair of bytes behind each beginning of a longer character: what comes out is plain to the function.
  for (const std::string begin : {"", "\xe2", "\xf0\x9f", "\x1b"}) {
    for (int first = 0; first < 256; ++first) {
      for (int second = 0; second < 256; ++second) {
        const std::string text = begin + static_cast<char>(first) + static_cast<char>(second);
        const std::string once = printable(text);
        ASSERT_EQ(printable(once), once) << first << " " << second;
        ASSERT_EQ(once.find_first_of("\x1b\r\x7f"), std::string::npos) << first << " " << second;
      }
    }
  }
}

TEST(IsUtf8, KnowsWhatJsonCanHold) {
  for (const char* text : {"", "plain", "850 µs", "\U0010FFFF", "\x1b\x7f"})
    EXPECT_TRUE(is_utf8(text)) << text;
  for (const char* text : {"caf\xe9", "\xc0\xaf", "\xed\xa0\x80", "\xe2\x80", "a\x80"}) {
    EXPECT_FALSE(is_utf8(text)) << printable(text);
  }
}

TEST(PrintableLine, StaysOnItsLine) {
  EXPECT_EQ(printable_line("a\n[2/2] sft ok\tb\x1b"), "a\\n[2/2] sft ok\\tb\\x1b");
  EXPECT_EQ(printable_line("850 µs"), "850 µs");
}

TEST(Upper, ChangesLettersOfAsciiAlone) {
  EXPECT_EQ(upper("wandb_api_key 1"), "WANDB_API_KEY 1");
  EXPECT_EQ(upper("\xc3\xa9z"), "\xc3\xa9Z") << "UTF-8 stays";
}

}  // namespace
}  // namespace sxb
