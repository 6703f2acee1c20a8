// A parser made for nccl-tests' text reads ours: rows and footers of recorded nccl-tests runs go through
// it, become records, and must come out as the same lines.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "base/files.h"
#include "base/text.h"
#include "report/nccl_tests/nccl_text.h"
#include "report/report.h"
#include "support/nccl_run.h"
#include "support/synthetic_run.h"

namespace sxb::report {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

struct ParsedPlacement {
  double time = 0, algbw = 0, busbw = 0;
  std::optional<double> wrong;
  std::vector<double> iterations;  ///< i_min, i_max, i_p99, i_cv%
};
struct ParsedRow {
  std::int64_t size = 0, count = 0, root = 0;
  std::string type, redop, timestamp;
  ParsedPlacement out_of_place, in_place;
};
struct Parsed {
  std::string version, name, concluded, out_of_bounds;
  std::vector<int> device_groups, pids;
  double average = -1;
  std::vector<ParsedRow> rows;
};

/// Written against the format strings of nccl-tests 2.19.6, not against ours.
class Parser {
 public:
  Parsed parse(const std::string& text) {
    Parsed parsed;
    for (const std::string& line : split(text, '\n')) read(line, parsed);
    return parsed;
  }

 private:
  void read(const std::string& line, Parsed& out) {
    static const std::regex kVersion("# nccl-tests version (\\S+) .*");
    static const std::regex kStart("# Collective test starting: (\\S+)_perf");
    static const std::regex kDevice(
        "#  Rank +(\\d+) Group +(\\d+) Pid +(\\d+) on +(\\S+) device +(-?\\d+) \\[([^\\]]+)\\] (.+)");
    static const std::regex kBounds("# Out of bounds values : (.+)");
    static const std::regex kAverage("# Avg bus bandwidth    : (\\S+) ");
    static const std::regex kEnd("# Collective test concluded: (\\S+)_perf");
    std::smatch match;
    if (line.find("i_cv%") != std::string::npos) iterations_ = true;
    if (line.find("timestamp") != std::string::npos) timestamps_ = true;
    if (std::regex_match(line, match, kVersion)) out.version = match[1];
    if (std::regex_match(line, match, kStart)) out.name = match[1];
    if (std::regex_match(line, match, kDevice)) {
      out.device_groups.push_back(std::stoi(match[2]));
      out.pids.push_back(std::stoi(match[3]));
    }
    if (std::regex_match(line, match, kBounds)) out.out_of_bounds = match[1];
    if (std::regex_match(line, match, kAverage)) out.average = std::stod(match[1]);
    if (std::regex_match(line, match, kEnd)) out.concluded = match[1];
    if (!line.empty() && line[0] != '#') out.rows.push_back(row(line));
  }

  ParsedRow row(const std::string& line) const {
    const std::string figure = " +([0-9.e+]+|N/A)";
    std::string placement = figure + figure + figure + figure;
    if (iterations_) placement += figure + figure + figure + figure;
    const std::regex pattern(" *(\\d+) +(\\d+) +(\\S+) +(\\S+) +(-?\\d+)" + placement + placement +
                             (timestamps_ ? "  (\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d)" : ""));
    std::smatch match;
    EXPECT_TRUE(std::regex_match(line, match, pattern)) << line;
    if (match.empty()) return {};
    ParsedRow out;
    out.size = std::stoll(match[1]);
    out.count = std::stoll(match[2]);
    out.type = match[3];
    out.redop = match[4];
    out.root = std::stoll(match[5]);
    const std::size_t width = iterations_ ? 8 : 4;
    out.out_of_place = this->placement(match, 6, width);
    out.in_place = this->placement(match, 6 + width, width);
    if (timestamps_) out.timestamp = match[6 + 2 * width];
    return out;
  }

  static ParsedPlacement placement(const std::smatch& match, std::size_t first, std::size_t width) {
    ParsedPlacement out{
        std::stod(match[first]), std::stod(match[first + 1]), std::stod(match[first + 2]), {}, {}};
    if (match[first + 3] != "N/A") out.wrong = std::stod(match[first + 3]);
    for (std::size_t i = 4; i < width; ++i) out.iterations.push_back(std::stod(match[first + i]));
    return out;
  }

  bool iterations_ = false, timestamps_ = false;
};

std::string recorded(const std::string& name) {
  const auto text = read_file(std::string(SXB_TEST_DATA) + "/nccl-tests/" + name);
  EXPECT_TRUE(text.ok());
  return text.ok() ? *text : "";
}

Json placement_of(const ParsedPlacement& p) {
  return {{"time_us", p.time},
          {"algbw_gBps", p.algbw},
          {"busbw_gBps", p.busbw},
          {"wrong", p.wrong ? Json(*p.wrong) : Json(nullptr)}};
}

record::Record record_of(const ParsedRow& row, const std::string& collective) {
  record::Record record;
  record.kind = record::kind::kCollective;
  record.data = {{"collective", collective}, {"size_bytes", row.size}, {"count", row.count},
                 {"dtype", row.type},        {"redop", row.redop},     {"root", row.root}};
  record.data["out_of_place"] = placement_of(row.out_of_place);
  record.data["in_place"] = placement_of(row.in_place);
  return record;
}

record::Record h200(int rank, int pid = 906) {
  record::Record record;
  record.kind = record::kind::kDevice;
  record.node = "vm";
  record.rank = rank;
  record.data = {{"device", "cuda"},
                 {"name", "NVIDIA H200"},
                 {"gpu", rank},
                 {"pid", pid},
                 {"backend", "nccl"},
                 {"nccl", "2.28.9"},
                 {"pci", "0000:00:0" + std::to_string(6 + rank)}};
  return record;
}

Json sweep_of(const std::string& collective) {
  return {{"collective", collective},
          {"min_bytes", 8},
          {"max_bytes", 8589934592},
          {"step_factor", 4},
          {"step_bytes", 0},
          {"iterations", 20},
          {"warmup", 5},
          {"check", 1}};
}

/// The whole text of a sweep; devices may come in any order.
std::string text_of(const Json& sweep, const std::vector<record::Record>& rows,
                    std::vector<record::Record> others = {}) {
  NcclText layout(sweep, "1.2.3");
  for (const record::Record& record : others) layout.add(record);
  std::string text;
  for (const record::Record& row : rows) text += layout.add_row(row);
  return text + layout.finish();
}

class RoundTrip : public ::testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(RoundTrip, LinesEqualTheRecordedOnesButForWhoMeasured) {
  const auto [collective, file] = GetParam();
  const std::string theirs = recorded(file);
  const Parsed parsed = Parser().parse(theirs);
  ASSERT_EQ(parsed.rows.size(), 16u);
  EXPECT_EQ(parsed.version, "2.19.6");
  std::vector<record::Record> rows;
  for (const ParsedRow& row : parsed.rows) rows.push_back(record_of(row, collective));
  ASSERT_EQ(parsed.pids.size(), 4u);
  const int pid = parsed.pids[0];
  const std::string ours =
      text_of(sweep_of(collective), rows, {h200(2, pid), h200(0, pid), h200(3, pid), h200(1, pid)});
  std::vector<std::string> expected = split(theirs, '\n');
  const std::vector<std::string> lines = split(ours, '\n');
  expected[0] = "# nccl-tests version 2.19.6 (its layout; measured by sxbench 1.2.3) nccl-library=22809";
  // One process per GPU here, one thread per GPU in the recorded run.
  expected[2].replace(expected[2].find("nThread 4"), 9, "nThread 1");
  ASSERT_EQ(lines.size(), expected.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    // The average of the rounded rows may differ in its last digit from the average of the true values.
    const std::size_t compared = lines[i].starts_with("# Avg") ? 30 : std::string::npos;
    EXPECT_EQ(lines[i].substr(0, compared), expected[i].substr(0, compared)) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(NcclText, RoundTrip,
                         ::testing::Values(std::pair{"all_reduce", "all_reduce-4xh200.txt"},
                                           std::pair{"alltoall", "alltoall-4xh200.txt"}),
                         [](const auto& test) { return std::string(test.param.first); });

/// The records of a task of make_nccl_run(), through its report.
std::string log_of_synthetic_run() {
  const auto run = sxb::testing::scratch("run");
  sxb::testing::make_nccl_run(run);
  EXPECT_TRUE(write_reports(run).ok());
  const auto text = read_file(run / "reports" / "nccl_allreduce.log");
  return text.ok() ? *text : "";
}

/// From "# task ID" to the next task.
std::string part_of(const std::string& log, const std::string& id) {
  const std::size_t begin = log.find("# task " + id);
  EXPECT_NE(begin, std::string::npos);
  const std::size_t end = log.find("# task ", begin + 1);
  return log.substr(begin, end - begin);
}

TEST(NcclText, IterationAndTimestampColumnsAreRead) {
  const std::string text = part_of(log_of_synthetic_run(), "dada00000001");
  const Parsed parsed = Parser().parse(text);
  EXPECT_EQ(parsed.name, "all_reduce");
  EXPECT_EQ(parsed.concluded, "all_reduce");
  EXPECT_EQ(parsed.out_of_bounds, "0 OK");
  ASSERT_EQ(parsed.rows.size(), 2u);
  const ParsedRow& row = parsed.rows[1];
  EXPECT_EQ(row.size, 1048576);
  EXPECT_EQ(row.timestamp, "2026-09-21 14:13:25");
  EXPECT_EQ(row.out_of_place.wrong, 0);
  EXPECT_FALSE(row.in_place.wrong.has_value());
  EXPECT_THAT(row.out_of_place.iterations, ElementsAre(45, 55, 55, 5));
  EXPECT_THAT(text, HasSubstr("# sxbench: a call that does nothing takes 0.19 us here"));
  EXPECT_THAT(text, HasSubstr("# sxbench: 1024 to 1024 B: TREE/LL, 2 channels\n"
                              "# sxbench: 1048576 to 1048576 B: RING/SIMPLE, 16 channels\n"));
}

// The header that nccl-tests 2.19.6 prints with -I 1 -S 1, from its format strings.
TEST(NcclText, HeaderOfIterationAndTimestampColumns) {
  const std::vector<std::string> lines = split(part_of(log_of_synthetic_run(), "dada00000001"), '\n');
  const auto line = std::find_if(lines.begin(), lines.end(), [](const std::string& text) {
    return text.find("i_min") != std::string::npos;
  });
  ASSERT_NE(line, lines.end());
  EXPECT_EQ(*line,
            "#       size         count      type   redop    root     time   algbw   busbw  #wrong    i_min  "
            "  i_max    "
            "i_p99    i_cv%     time   algbw   busbw  #wrong    i_min    i_max    i_p99    i_cv%           "
            "timestamp");
  EXPECT_THAT(*(line + 1), ::testing::EndsWith("     (us)     (us)     (us)      (%)   %Y-%m-%d %H:%M:%S"));
  EXPECT_THAT(lines, ::testing::Contains(
                         "# Per-Iteration Report: CUDA event timing; i_* uses max over process rows "));
}

TEST(NcclText, EachGroupHasItsTable) {
  const std::string text = part_of(log_of_synthetic_run(), "dada00000002");
  const std::size_t second = text.find("# Group 1: ranks 1,3\n");
  ASSERT_NE(second, std::string::npos);
  const Parsed first = Parser().parse(text.substr(0, second));
  const Parsed other = Parser().parse(text.substr(second));
  EXPECT_THAT(text.substr(0, second), HasSubstr("# Group 0: ranks 0,2\n"));
  EXPECT_THAT(first.device_groups, ElementsAre(0, 1, 0, 1));
  ASSERT_EQ(first.rows.size(), 2u);
  ASSERT_EQ(other.rows.size(), 2u);
  EXPECT_EQ(first.rows[1].out_of_place.time, 40);
  EXPECT_EQ(other.rows[1].out_of_place.time, 80);
  EXPECT_DOUBLE_EQ(first.average, 2 * other.average);  // never a mean over groups
  EXPECT_EQ(other.concluded, "all_gather");
}

TEST(NcclText, WrongElementsAreSpelledOut) {
  const std::string text = part_of(log_of_synthetic_run(), "dada00000003");
  const Parsed parsed = Parser().parse(text);
  EXPECT_EQ(parsed.out_of_bounds, "3 FAILED");
  ASSERT_EQ(parsed.rows.size(), 2u);
  EXPECT_EQ(parsed.rows[1].root, 1);
  EXPECT_EQ(parsed.rows[1].out_of_place.wrong, 3);
  EXPECT_THAT(text,
              HasSubstr("# sxbench: WRONG at 1024 B: rank 3, element 17 out of place: expected 1.5, found "
                        "-nan (after the timed iterations)\n"));
}

TEST(NcclText, SettingsStandInTheHeader) {
  Json sweep = sweep_of("all_reduce");
  sweep["step_bytes"] = 1024;
  sweep["agg_iterations"] = 3;
  sweep["graph_launches"] = 2;
  sweep["unalign"] = 5;
  sweep["blocking"] = 3;
  const std::string text = text_of(sweep, {record_of({}, "all_reduce")});
  EXPECT_THAT(text,
              HasSubstr("step: 1024(bytes) warmup iters: 5 iters: 20 agg iters: 3 validation: 1 graph: 2 "
                        "unalign: 5\n"));
  EXPECT_THAT(text,
              HasSubstr("# Blocking Enabled: wait and barrier after each outer iteration (-n); time excludes "
                        "barrier \n"));
}

TEST(NcclText, CpuRanksAreNotTakenForGpus) {
  record::Record cpu = h200(0);
  cpu.data = {{"device", "cpu"}, {"name", "Some CPU"}, {"gpu", -1},
              {"pid", 77},       {"pci", ""},          {"backend", "gloo"}};
  const std::string text = text_of(sweep_of("all_reduce"), {record_of({}, "all_reduce")}, {cpu});
  EXPECT_THAT(text, HasSubstr("backend=gloo"));
  EXPECT_THAT(text, HasSubstr("Pid     77 on         vm device -1 [cpu] Some CPU"));
  EXPECT_THAT(text, Not(HasSubstr("nccl-library")));
}

// As printf("%*.2f") and so on with a buffer of the column's width: 9999.999 has no room for decimals.
TEST(NcclText, NumbersAreFittedToTheirColumns) {
  const auto columns = [](double time, double bandwidth) {
    ParsedRow row;
    row.type = "float";
    row.redop = "sum";
    row.out_of_place = {time, bandwidth, bandwidth, 0, {}};
    const std::string text = text_of(sweep_of("all_reduce"), {record_of(row, "all_reduce")});
    std::vector<std::string> words;
    for (const std::string& line : split(text, '\n')) {
      if (line.empty() || line[0] == '#') continue;
      for (const std::string& word : split(line, ' ')) {
        if (!word.empty()) words.push_back(word);
      }
    }
    return std::pair{words[5], words[6]};
  };
  using Pair = std::pair<std::string, std::string>;
  EXPECT_EQ(columns(8.55, 0), (Pair{"8.55", "0.00"}));
  EXPECT_EQ(columns(8973.14, 999.994), (Pair{"8973.14", "999.99"}));
  EXPECT_EQ(columns(9999.999, 999.996), (Pair{"10000.0", "1000.0"}));
  EXPECT_EQ(columns(35288.04, 1234.56), (Pair{"35288.0", "1234.6"}));
  EXPECT_EQ(columns(352880.4, 12345.6), (Pair{"352880", "12346"}));
  EXPECT_EQ(columns(3528804.2, 123456), (Pair{"3528804", "123456"}));
  EXPECT_EQ(columns(35288042, 1234567), (Pair{"3.5e+07", "1e+06"}));
}

TEST(NcclText, UncheckedRunsAreSaid) {
  ParsedRow row;
  row.type = "float";
  row.redop = "sum";
  const std::string text = text_of(sweep_of("all_reduce"), {record_of(row, "all_reduce")});
  EXPECT_THAT(text, HasSubstr("# Out of bounds values : N/A\n"));
  EXPECT_THAT(text, HasSubstr("    N/A\n"));
  EXPECT_EQ(text_of(sweep_of("all_reduce"), {}), "");
}

// Found by the fuzz target: a reader of the text would take the rest of such a name for a row.
TEST(NcclText, ANewlineInANameEndsNoLine) {
  record::Record device;
  device.kind = record::kind::kDevice;
  device.node = "n\n1";
  device.data = {{"name", "GPU\n       8  2  float"}, {"backend", "x\ny"}, {"pci", "\n"}};
  record::Record row = record_of({}, "all_reduce");
  for (const char* key : {"dtype", "redop", "path", "timestamp"}) row.data[key] = "a\n8 2 float";
  const Json sweep = {{"collective", "all\nreduce"}, {"timestamps", true}};
  NcclText layout(sweep, "1.2.3");
  layout.add(device);
  const std::string text = layout.add_row(row) + layout.finish();
  std::size_t rows = 0;
  for (const std::string& line : split(text, '\n')) rows += !line.empty() && line.front() != '#';
  EXPECT_EQ(rows, 1u) << text;
  EXPECT_THAT(text, HasSubstr("GPU\\n       8"));
}

TEST(NcclText, HeaderWaitsForARowOfEachGroup) {
  record::Record row = record_of({}, "all_gather");
  row.data["groups"] = 2;
  row.data["group"] = 0;
  row.data["group_ranks"] = {0, 2};
  NcclText layout(sweep_of("all_gather"), "1.2.3");
  EXPECT_EQ(layout.add_row(row), "");
  record::Record other = row;
  other.data["group"] = 1;
  other.data["group_ranks"] = {1, 3};
  EXPECT_THAT(layout.add_row(other), HasSubstr("# Group 0: ranks 0,2\n"));
  EXPECT_EQ(split(layout.add_row(row), '\n').size(), 2u);  // one line
  EXPECT_EQ(layout.add_row(other), "");
  EXPECT_THAT(layout.finish(), HasSubstr("# Group 1: ranks 1,3\n"));
}

}  // namespace
}  // namespace sxb::report
