// The text of recorded nccl-tests runs: rows -> records -> our text must be the same lines.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "sxbench/base/files.h"
#include "sxbench/base/text.h"
#include "sxbench/report/report.h"

namespace sxb::report {
namespace {

struct Recorded {
  std::vector<std::string> comments, rows;
};

Recorded read_recorded(const std::string& name) {
  Recorded recorded;
  const auto text = read_file(std::string(SXB_TEST_DATA) + "/nccl-tests/" + name);
  EXPECT_TRUE(text.ok());
  for (const std::string& line : split(*text, '\n')) {
    if (!line.empty()) (line[0] == '#' ? recorded.comments : recorded.rows).push_back(line);
  }
  return recorded;
}

Json parse_placement(std::istream& in) {
  std::string time, algbw, busbw, wrong;
  in >> time >> algbw >> busbw >> wrong;
  Json json = {
      {"time_us", std::stod(time)}, {"algbw_gBps", std::stod(algbw)}, {"busbw_gBps", std::stod(busbw)}};
  json["wrong"] = wrong == "N/A" ? Json(nullptr) : Json(std::stoi(wrong));
  return json;
}

/// What a parser made for nccl-tests does: columns separated by blanks.
record::Record parse_row(const std::string& line, const std::string& collective) {
  std::istringstream in(line);
  std::int64_t size = 0, count = 0, root = 0;
  std::string dtype, redop;
  in >> size >> count >> dtype >> redop >> root;
  record::Record record;
  record.kind = record::kind::kCollective;
  record.data = {{"collective", collective}, {"size_bytes", size}, {"count", count},
                 {"dtype", dtype},           {"redop", redop},     {"root", root}};
  record.data["out_of_place"] = parse_placement(in);
  record.data["in_place"] = parse_placement(in);
  EXPECT_TRUE(in) << line;
  return record;
}

record::Record h200(int rank, const char* pci) {
  record::Record record;
  record.kind = record::kind::kDevice;
  record.node = "vm";
  record.rank = rank;
  record.data = {{"device", "cuda"}, {"name", "NVIDIA H200"}, {"gpu", rank},     {"pid", 906},
                 {"pci", pci},       {"backend", "nccl"},     {"nccl", "2.28.9"}};
  return record;
}

class RoundTrip : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(RoundTrip, RowsAndFooterEqualTheRecordedText) {
  const auto [collective, file] = GetParam();
  const Recorded recorded = read_recorded(file);
  ASSERT_EQ(recorded.rows.size(), 16u);
  std::vector<record::Record> records;
  for (const std::string& line : recorded.rows) {
    records.push_back(parse_row(line, collective));
    EXPECT_EQ(NcclText::row(records.back()), line + "\n");
  }
  const std::vector<std::string> footer = split(NcclText::footer(records), '\n');
  const std::size_t first = recorded.comments.size() - 5;
  EXPECT_EQ(footer[0], recorded.comments[first]);
  // The average of the rounded rows may differ in its last digit from the average of the true values.
  EXPECT_EQ(footer[1].substr(0, 30), recorded.comments[first + 1].substr(0, 30));
  EXPECT_EQ(footer[2], recorded.comments[first + 2]);
  EXPECT_EQ(footer[3], recorded.comments[first + 3]);
  EXPECT_EQ(footer[4], recorded.comments[first + 4]);
}

INSTANTIATE_TEST_SUITE_P(NcclText, RoundTrip,
                         testing::Values(std::pair{"all_reduce", "all_reduce-4xh200.txt"},
                                         std::pair{"alltoall", "alltoall-4xh200.txt"}),
                         [](const auto& test) { return std::string(test.param.first); });

TEST(NcclText, HeaderEqualsTheRecordedOneButForWhoMeasured) {
  const Recorded recorded = read_recorded("all_reduce-4xh200.txt");
  const Json sweep = {{"collective", "all_reduce"},
                      {"min_bytes", 8},
                      {"max_bytes", 8589934592},
                      {"step_factor", 4},
                      {"step_bytes", 0},
                      {"iterations", 20},
                      {"warmup", 5},
                      {"check", 1}};
  const std::vector<std::string> lines = split(
      NcclText::header(
          sweep, {h200(0, "0000:00:06"), h200(1, "0000:00:07"), h200(2, "0000:00:08"), h200(3, "0000:00:09")},
          "1.2.3"),
      '\n');
  EXPECT_EQ(lines[0], "# sxbench 1.2.3 nccl-tests-layout 2.19.6 nccl-library=22809");
  EXPECT_EQ(lines[1], recorded.comments[1]);
  // One process per GPU here, one thread per GPU in the recorded run.
  std::string sweep_line = recorded.comments[2];
  sweep_line.replace(sweep_line.find("nThread 4"), 9, "nThread 1");
  EXPECT_EQ(lines[2], sweep_line);
  for (std::size_t i = 3; i <= 12; ++i) EXPECT_EQ(lines[i], recorded.comments[i]) << i;
}

TEST(NcclText, CpuRanksAreNotTakenForGpus) {
  record::Record cpu = h200(0, "");
  cpu.data = {{"device", "cpu"}, {"name", "Some CPU"}, {"gpu", -1},
              {"pid", 77},       {"pci", ""},          {"backend", "gloo"}};
  const std::string header = NcclText::header({{"collective", "all_reduce"}}, {cpu});
  EXPECT_THAT(header, testing::HasSubstr("backend=gloo"));
  EXPECT_THAT(header, testing::HasSubstr("Pid     77 on         vm device -1 [cpu] Some CPU"));
  EXPECT_THAT(header, testing::Not(testing::HasSubstr("nccl-library")));
}

record::Record row_of(double time, double algbw, double busbw, const Json& wrong) {
  const Json placement = {{"time_us", time}, {"algbw_gBps", algbw}, {"busbw_gBps", busbw}, {"wrong", wrong}};
  record::Record record;
  record.data = {{"collective", "all_reduce"}, {"size_bytes", 8},      {"count", 2},
                 {"dtype", "float"},           {"redop", "sum"},       {"root", -1},
                 {"out_of_place", placement},  {"in_place", placement}};
  return record;
}

// Width 7: %.2f below 10^4, %.1f below 10^5, %.0f below 10^7, then an exponent; width 6 one less each.
TEST(NcclText, NumbersAreFittedToTheirColumns) {
  const auto columns = [](double time, double bandwidth) {
    std::istringstream in(NcclText::row(row_of(time, bandwidth, bandwidth, 0)));
    std::string skip, time_text, algbw_text;
    in >> skip >> skip >> skip >> skip >> skip >> time_text >> algbw_text;
    return std::pair{time_text, algbw_text};
  };
  EXPECT_EQ(columns(8.55, 0), (std::pair<std::string, std::string>{"8.55", "0.00"}));
  EXPECT_EQ(columns(8973.14, 999.994), (std::pair<std::string, std::string>{"8973.14", "999.99"}));
  EXPECT_EQ(columns(35288.04, 1234.56), (std::pair<std::string, std::string>{"35288.0", "1234.6"}));
  EXPECT_EQ(columns(352880.4, 12345.6), (std::pair<std::string, std::string>{"352880", "12346"}));
  EXPECT_EQ(columns(3528804.2, 123456), (std::pair<std::string, std::string>{"3528804", "123456"}));
  EXPECT_EQ(columns(35288042, 1234567), (std::pair<std::string, std::string>{"3.5e+07", "1e+06"}));
}

TEST(NcclText, WrongElementsAndUncheckedRunsAreSaid) {
  EXPECT_THAT(NcclText::footer({row_of(1, 2, 3, 4)}),
              testing::HasSubstr("# Out of bounds values : 8 FAILED\n"));
  EXPECT_THAT(NcclText::footer({row_of(1, 2, 3, nullptr)}),
              testing::HasSubstr("# Out of bounds values : N/A\n"));
  EXPECT_THAT(NcclText::row(row_of(1, 2, 3, nullptr)), testing::EndsWith("    N/A\n"));
}

}  // namespace
}  // namespace sxb::report
