#include "config/cluster/node_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sxb::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> expand(std::string_view text) {
  const auto names = expand_node_set(text);
  EXPECT_TRUE(names.ok()) << format_errors(names.errors());
  return names.ok() ? *names : std::vector<std::string>{};
}

TEST(ExpandNodeSet, KeepsZeroPadding) {
  EXPECT_THAT(expand("node[001-003,012]"), ElementsAre("node001", "node002", "node003", "node012"));
  EXPECT_THAT(expand("node[098-101]"), ElementsAre("node098", "node099", "node100", "node101"));
  EXPECT_THAT(expand("n[8-11]"), ElementsAre("n8", "n9", "n10", "n11"));
  EXPECT_THAT(expand("n[0-1]"), ElementsAre("n0", "n1"));
}

TEST(ExpandNodeSet, TakesListsSuffixesAndSeveralBrackets) {
  EXPECT_THAT(expand("a, b[1-2]"), ElementsAre("a", "b1", "b2"));
  EXPECT_THAT(expand("gpu[1-2].lan"), ElementsAre("gpu1.lan", "gpu2.lan"));
  EXPECT_THAT(expand("r[1-2]n[01-02]"), ElementsAre("r1n01", "r1n02", "r2n01", "r2n02"));
  EXPECT_THAT(expand("10.0.0.[7-8]"), ElementsAre("10.0.0.7", "10.0.0.8"));
}

TEST(ExpandNodeSet, NamesEachNodeOnceInTheOrderWritten) {
  EXPECT_THAT(expand("n3,n[1-3]"), ElementsAre("n3", "n1", "n2"));
}

constexpr const char* kLongName =
    "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
    "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
    "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
    "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
    "[1-60000]";

struct BadSet {
  const char* text;
  const char* why;
};
class ExpandNodeSetRefuses : public testing::TestWithParam<BadSet> {};

TEST_P(ExpandNodeSetRefuses, AndSaysWhy) {
  const auto names = expand_node_set(GetParam().text);
  ASSERT_FALSE(names.ok());
  EXPECT_THAT(names.error().what, HasSubstr(GetParam().why));
  EXPECT_FALSE(names.error().help.empty());
}

INSTANTIATE_TEST_SUITE_P(
    All, ExpandNodeSetRefuses,
    testing::Values(BadSet{"", "empty"}, BadSet{"n[1-2", "never closed"}, BadSet{"n1-2]", "without"},
                    BadSet{"n[1-[2-3]]", "inside of brackets"}, BadSet{"n[3-1]", "backwards"},
                    BadSet{"n[a-b]", "not a number"}, BadSet{"n[]", "not a number"},
                    BadSet{"n[1-2-3]", "not a number"}, BadSet{"a,,b", "between two commas"},
                    BadSet{"n[1-99999999]", "more than"}, BadSet{"n[1-40000,1-40000]", "more than"},
                    BadSet{"n[1-40000],n[1-40000]", "more than"},
                    BadSet{kLongName, "more than 255 characters"}, BadSet{"n[0-9999]m[0-9999]", "more than"},
                    BadSet{"n[1-12345678901]", "too long"}, BadSet{"-oProxyCommand=x", "not a node name"},
                    BadSet{"a b", "not a node name"}, BadSet{"../x", "not a node name"}));

TEST(FoldNodeSet, IsTheInverse) {
  EXPECT_EQ(fold_node_set({"node001", "node002", "node004"}), "node[001-002,004]");
  EXPECT_EQ(fold_node_set({"node098", "node099", "node100"}), "node[098-100]");
  EXPECT_EQ(fold_node_set({"n9", "n10", "n11"}), "n[9-11]");
  EXPECT_EQ(fold_node_set({"n1", "n01"}), "n[1,01]");
  EXPECT_EQ(fold_node_set({"head", "gpu1.lan", "gpu2.lan"}), "head,gpu[1-2].lan");
  EXPECT_EQ(fold_node_set({"node007"}), "node007");
  EXPECT_EQ(fold_node_set({}), "");
  for (const char* set : {"node[001-008,012]", "a,b[1-3],c[07-11]", "r1n[1-3],r2n[1-3]", "x[5,3,4]"}) {
    EXPECT_EQ(expand(fold_node_set(expand(set))), expand(set)) << set;
  }
}

TEST(ParseCountList, ReadsCountsOnce) {
  EXPECT_THAT(*parse_count_list("2,4, 8,4", "--nodes"), ElementsAre(2, 4, 8));
  for (const char* text : {"", "0", "2,,4", "-1", "two", "2.5", "99999999999"}) {
    const auto counts = parse_count_list(text, "--nodes");
    ASSERT_FALSE(counts.ok()) << text;
    EXPECT_EQ(counts.error().where, "--nodes");
    EXPECT_EQ(counts.error().help, "write e.g. --nodes 2,4,8");
  }
}

}  // namespace
}  // namespace sxb::config
