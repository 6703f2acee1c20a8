#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plan/sweep.h"

namespace sxb::plan {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TrafficMatrix parsed(const std::string& text, double scale = 1) {
  const auto matrix = parse_traffic_matrix(text, "traffic.txt", scale);
  EXPECT_TRUE(matrix.ok()) << format_errors(matrix.errors());
  return matrix.ok() ? *matrix : TrafficMatrix{};
}

// The example of nccl-tests' alltoallv.cu: every value down to a multiple of 16.
TEST(TrafficMatrix, IsReadAsNcclTestsDoes) {
  const TrafficMatrix matrix = parsed("  100  200\t150\n\n50   100  75\r\n 300  150  200");
  EXPECT_THAT(matrix.rows,
              ElementsAre(ElementsAre(96, 192, 144), ElementsAre(48, 96, 64), ElementsAre(288, 144, 192)));
  EXPECT_THAT(parsed("1e3 0\n0 16.9\n", 2).rows, ElementsAre(ElementsAre(2000, 0), ElementsAre(0, 32)));
}

TEST(TrafficMatrix, KnowsTheBusiestRank) {
  const TrafficMatrix matrix = parsed("0 160 0\n0 0 320\n64 0 0\n");
  EXPECT_EQ(matrix.most_bytes(3), 320);
  EXPECT_EQ(matrix.most_bytes(2), 160) << "only what the first two send each other";
  EXPECT_EQ(parsed("0 0\n160 160").most_bytes(2), 320) << "a row";
  EXPECT_EQ(parsed("160 0\n160 0").most_bytes(2), 320) << "a column";
}

struct BadMatrix {
  const char* text;
  const char* where;
  const char* what;
};

TEST(TrafficMatrix, SaysOnceWhatIsWrongAndWhere) {
  const BadMatrix cases[] = {{"1 2\n3 x\n", "traffic.txt:2", "\"x\" is no number"},
                             {"16 16\n16 12K\n", "traffic.txt:2", "\"12K\""},
                             {"nan 1\n1 1\n", "traffic.txt:1", "\"nan\""},
                             {"16 16\n\n16 -1\n", "traffic.txt:3", "-1 bytes"},
                             {"16 16 16\n16 16\n", "traffic.txt:2", "2 columns, the rows before have 3"},
                             {"16 16\n16 16\n16 16\n", "traffic.txt", "3 rows of 2 columns"},
                             {"16 1e30\n16 16\n", "traffic.txt:1", "too many"},
                             {" \n\n", "traffic.txt", "empty"},
                             {"15 0\n0 0\n", "traffic.txt", "nobody sends"}};
  for (const BadMatrix& bad : cases) {
    const auto matrix = parse_traffic_matrix(bad.text, "traffic.txt", 1);
    ASSERT_FALSE(matrix.ok()) << bad.text;
    ASSERT_EQ(matrix.errors().size(), 1u) << bad.text;
    EXPECT_EQ(matrix.error().where, bad.where) << bad.text;
    EXPECT_THAT(matrix.error().what, HasSubstr(bad.what));
    EXPECT_FALSE(matrix.error().help.empty()) << bad.text;
    EXPECT_EQ(matrix.error().code, ExitCode::kUsage);
  }
}

}  // namespace
}  // namespace sxb::plan
