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

}  // namespace
}  // namespace sxb
