// CSV and JSON of sweeps, from the run of tests/analysis/nccl_run.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "base/text.h"
#include "report/report.h"
#include "support/nccl_run.h"
#include "support/synthetic_run.h"

namespace sxb::report {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string output(const std::string& name) {
  const auto run = sxb::testing::scratch("run");
  sxb::testing::make_nccl_run(run);
  EXPECT_TRUE(write_reports(run).ok());
  const auto text = read_file(run / "reports" / name);
  EXPECT_TRUE(text.ok()) << name;
  return text.ok() ? *text : "";
}

/// Cells of the CSV by column name; no cell of it holds a comma.
std::vector<std::map<std::string, std::string>> csv_rows() {
  const std::vector<std::string> lines = split(output("nccl_metrics.csv"), '\n');
  const std::vector<std::string> header = split(lines.front(), ',');
  std::vector<std::map<std::string, std::string>> rows;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    std::string line = lines[i];
    // Quoted cells: commas in them separate nothing.
    bool quoted = false;
    for (char& c : line) {
      if (c == '"') quoted = !quoted;
      if (c == ',' && quoted) c = ';';
    }
    const std::vector<std::string> cells = split(line, ',');
    if (cells.size() < 2) continue;
    EXPECT_EQ(cells.size(), header.size()) << line;
    for (std::size_t c = 0; c < std::min(cells.size(), header.size()); ++c) {
      if (c == 0) rows.emplace_back();
      rows.back()[header[c]] = cells[c];
    }
  }
  return rows;
}

TEST(NcclCsv, HasALinePerSizeGroupAndPlacement) {
  const auto rows = csv_rows();
  ASSERT_EQ(rows.size(), 2u * (2 + 4 + 2));
  EXPECT_EQ(rows[0].at("placement"), "out_of_place");
  EXPECT_EQ(rows[1].at("placement"), "in_place");
  EXPECT_EQ(rows[2].at("iteration_p99_us"), "55");
  EXPECT_EQ(rows[2].at("iteration_cv_pct"), "5");
  EXPECT_EQ(rows[2].at("algorithm"), "RING");
  EXPECT_EQ(rows[2].at("channels"), "16");
  EXPECT_EQ(rows[2].at("slowest_rank"), "3");
  EXPECT_EQ(rows[2].at("wrong"), "0");
  EXPECT_EQ(rows[3].at("wrong"), "");  // not checked: empty, not zero
  EXPECT_EQ(rows[6].at("group"), "1");
  EXPECT_EQ(rows[6].at("group_ranks"), "1;3");
  EXPECT_EQ(rows[6].at("algorithm"), "");
}

TEST(NcclCsv, WrongDataStandsBesideItsPlacement) {
  const auto rows = csv_rows();
  EXPECT_EQ(rows[14].at("status"), "failed");
  EXPECT_EQ(rows[14].at("wrong"), "1");
  EXPECT_EQ(rows[14].at("wrong_timed"), "2");
  EXPECT_THAT(rows[14].at("first_wrong"), HasSubstr("rank 3; element 17 out of place"));
  EXPECT_EQ(rows[15].at("first_wrong"), "");
}

TEST(NcclCsv, EveryFieldOfTheTableIsAColumn) {
  const std::vector<std::string> header = split(split(output("nccl_metrics.csv"), '\n').front(), ',');
  for (const record::Field& field : record::fields()) {
    if (std::string(field.kind) != record::kind::kCollective) continue;
    const std::string name = field.name;
    if (name == "out_of_place" || name == "in_place") continue;
    EXPECT_THAT(header, ::testing::Contains(name));
  }
}

Json json_of(const std::string& name) {
  const auto json = parse_json(output(name), name);
  EXPECT_TRUE(json.ok());
  return json.ok() ? *json : Json();
}

// The keys that nccl-tests 2.19.6 writes, by its source (writeDeviceReport, writeBenchmarkLineBody, ...).
TEST(NcclJson, HasTheLayoutOfNcclTests) {
  const Json json = json_of("nccl_all_reduce_2n.json");
  EXPECT_EQ(json["version"], 3);
  for (const char* key : {"start_time", "args", "env", "nccl_version", "config", "results", "out_of_bounds",
                          "average_bus_bandwidth", "errors", "end_time"}) {
    EXPECT_TRUE(json.contains(key)) << key;
  }
  EXPECT_EQ(json["nccl_version"], 22809);
  EXPECT_EQ(json["start_time"].get<std::string>().size(), std::string("2026-09-21 14:13:20").size());
  for (const char* key :
       {"nthreads", "ngpus", "minimum_bytes", "maximum_bytes", "step_factor", "warmup_iters", "iterations",
        "aggregated_iterations", "validation", "graph", "blocking_collectives", "per_iter_timing",
        "per_iter_skip", "parallel_init", "devices"}) {
    EXPECT_TRUE(json["config"].contains(key)) << key;
  }
  EXPECT_EQ(json["config"]["per_iter_timing"], "true");
  ASSERT_EQ(json["config"]["devices"].size(), 4u);
  for (const char* key : {"rank", "group", "pid", "hostname", "device", "device_hex", "device_info"})
    EXPECT_TRUE(json["config"]["devices"][3].contains(key)) << key;
  ASSERT_EQ(json["results"].size(), 2u);
  const Json& row = json["results"][1];
  EXPECT_EQ(row["size"], 1048576);
  EXPECT_EQ(row["root"], "    -1");
  EXPECT_DOUBLE_EQ(row["out_of_place"]["time"].get<double>(), 50);
  EXPECT_EQ(row["out_of_place"]["nwrong"], 0);
  EXPECT_EQ(row["in_place"]["nwrong"], nullptr);
  EXPECT_DOUBLE_EQ(row["out_of_place_per_iter"]["p99_us"].get<double>(), 55.000000000000007);
  EXPECT_DOUBLE_EQ(row["out_of_place_per_iter"]["stdev_us"].get<double>(), 2.5);
  EXPECT_EQ(row["out_of_place_per_iter"]["times_us"], Json({55.0, 45.0}));
  EXPECT_EQ(row["out_of_place_per_iter"]["per_process_max_times_us"], Json({{55.0, 40.0}, {50.0, 45.0}}));
  EXPECT_FALSE(row["in_place_per_iter"].contains("times_us"));
  EXPECT_EQ(row["actual_iterations"], 20);
  EXPECT_EQ(json["out_of_bounds"], (Json{{"count", 0.0}, {"okay", "true"}}));
  EXPECT_EQ(row["sxbench"]["algorithm"], "RING");
  EXPECT_EQ(json["sxbench"]["null_call_us"], 0.1875);
}

TEST(NcclJson, HoldsNoEnvironmentButNcclVariables) {
  const std::string text = output("nccl_all_reduce_2n.json");
  EXPECT_EQ(parse_json(text, "")->at("env"), Json::array({"NCCL_DEBUG=WARN"}));
  EXPECT_THAT(text, Not(HasSubstr("PASSWORD")));
}

TEST(NcclJson, ArgumentsAreWordsAgain) {
  std::vector<std::string> words;
  const Json json = json_of("nccl_all_reduce_2n.json");
  for (const Json& word : json["args"]) words.push_back(word.get<std::string>());
  EXPECT_THAT(
      words, ElementsAre("sxbench", "nccl", "--collectives", "all_reduce,all_gather", "--name", "two words"));
}

TEST(NcclJson, RowsOfGroupsAndWrongDataAreToldApart) {
  const Json rails = json_of("nccl_all_gather_2n.json");
  ASSERT_EQ(rails["results"].size(), 4u);
  EXPECT_EQ(rails["results"][3]["sxbench"]["group_ranks"], (Json{1, 3}));
  EXPECT_EQ(rails["config"]["devices"][3]["group"], 1);
  const Json broadcast = json_of("nccl_broadcast_2n.json");
  EXPECT_EQ(broadcast["out_of_bounds"]["okay"], "false");
  EXPECT_EQ(broadcast["results"][1]["sxbench"]["first_wrong"]["rank"], 3);
  EXPECT_THAT(broadcast["errors"][0].get<std::string>(), HasSubstr("3 elements were wrong"));
}

TEST(NcclSection, GroupsAndWrongDataAreShown) {
  const std::string report = output("summary_report.md");
  EXPECT_THAT(report, HasSubstr("### all_gather in 2 groups (rails) on 2 nodes"));
  EXPECT_THAT(report, HasSubstr("| 0 | 0, 2 | 1 MiB | 40.00 | 13.11 | 133.3 | 44.00 | 5.0 | 2 | 0 |"));
  EXPECT_THAT(report, HasSubstr("| 1 | 1, 3 | 1 MiB | 80.00 | 6.554 | 66.7 | 88.00 | 5.0 | 3 | 0 |"));
  EXPECT_THAT(report,
              HasSubstr("Wrong data, broadcast root 1 on 2 nodes, 1 KiB: rank 3, element 17 out of place: "
                        "expected 1.5, found -nan"));
  EXPECT_THAT(report, HasSubstr("RING/SIMPLE, 16 channels"));
}

}  // namespace
}  // namespace sxb::report
