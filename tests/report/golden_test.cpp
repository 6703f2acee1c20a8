// Every output of the synthetic runs against files in tests/fixtures/golden/. After a wanted change:
//   SXB_UPDATE_GOLDENS=1 ctest -R Golden
// and read the diff before committing it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>

#include "base/files.h"
#include "record/record.h"
#include "report/document/document.h"
#include "report/records_doc.h"
#include "report/report.h"
#include "support/gpu_run.h"
#include "support/nccl_run.h"
#include "support/phase_run.h"
#include "support/synthetic_run.h"

namespace sxb::report {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

bool updating() { return std::getenv("SXB_UPDATE_GOLDENS") != nullptr; }

std::string content(const fs::path& path) {
  const auto text = read_file(path);
  EXPECT_TRUE(text.ok()) << path;
  return text.ok() ? *text : "";
}

/// Everything that a report wrote, by path relative to the run.
std::map<std::string, std::string> outputs(const fs::path& run) {
  std::map<std::string, std::string> files = {{"summary.json", content(run / "summary.json")}};
  for (const auto& entry : fs::recursive_directory_iterator(run / "reports")) {
    if (entry.is_regular_file()) files[fs::relative(entry.path(), run)] = content(entry.path());
  }
  return files;
}

void compare_with_golden(const fs::path& run, const std::string& name) {
  const fs::path golden = fs::path(SXB_TEST_DATA) / "golden" / name;
  const auto files = outputs(run);
  if (updating()) {
    fs::remove_all(golden);
    for (const auto& [file, text] : files) ASSERT_TRUE(write_file_atomic(golden / file, text).ok());
  }
  for (const auto& [file, text] : files) EXPECT_EQ(text, content(golden / file)) << name << "/" << file;
  std::size_t kept = 0;
  for (const auto& entry : fs::recursive_directory_iterator(golden)) kept += entry.is_regular_file() ? 1 : 0;
  EXPECT_EQ(kept, files.size()) << "a file of the golden folder is no longer written";
}

TEST(Golden, CpuRun) {
  const fs::path run = testing::scratch("run");
  testing::make_cpu_run(run);
  const auto outcome = write_reports(run);
  ASSERT_TRUE(outcome.ok());
  EXPECT_TRUE(outcome->goals_met());
  EXPECT_EQ(outcome->tasks_ok, 2);
  EXPECT_EQ(outcome->tasks_failed + outcome->tasks_missing, 0);
  compare_with_golden(run, "cpu");
  const std::string report = content(outcome->summary_report);
  EXPECT_THAT(report, HasSubstr("CPU run: ranks on CPU cores over Gloo"));
  EXPECT_THAT(report, HasSubstr("nvml was not measured"));
  EXPECT_THAT(content(run / "reports/performance_summary.csv"),
              HasSubstr("\ntiny,1,40,,2,"));  // no GPU use: empty
}

TEST(Golden, GpuRun) {
  const fs::path run = testing::scratch("run");
  testing::make_gpu_run(run);
  const auto outcome = write_reports(run);
  ASSERT_TRUE(outcome.ok());
  EXPECT_FALSE(outcome->goals_met());
  EXPECT_EQ(outcome->tasks_ok, 6);
  EXPECT_EQ(outcome->tasks_failed, 1);
  EXPECT_EQ(outcome->tasks_missing, 1);
  compare_with_golden(run, "gpu");
  const std::string report = content(outcome->summary_report);
  EXPECT_THAT(report, HasSubstr("rank 5 on synthetic3 was killed by signal 9"));
  EXPECT_THAT(report, HasSubstr("was planned, never started"));
  EXPECT_THAT(report, HasSubstr("records.jsonl has lines that are cut off"));
  EXPECT_THAT(report, Not(HasSubstr("CPU run")));
}

TEST(Golden, NcclRun) {
  const fs::path run = testing::scratch("run");
  testing::make_nccl_run(run);
  const auto outcome = write_reports(run);
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->tasks_ok, 2);
  EXPECT_EQ(outcome->tasks_failed, 1);
  compare_with_golden(run, "nccl");
}

TEST(Golden, PhaseRun) {
  const fs::path run = testing::scratch("run");
  testing::PhaseSpec spec;
  spec.forward_extra_ms = 10;
  testing::make_phase_run(run, spec);
  ASSERT_TRUE(write_file_atomic(run / "traces/facade000001-rank1.json", "{}").ok());
  ASSERT_TRUE(write_file_atomic(run / "traces/facade000001-rank0.json", "{}").ok());
  ASSERT_TRUE(write_reports(run).ok());
  compare_with_golden(run, "phases");
  const std::string report = content(run / "reports/summary_report.md");
  EXPECT_THAT(report,
              HasSubstr("| 7b | 1 | forward | 330.0 | 33.0 | 330.0 (rank 0) | 340.0 (rank 1) | 90.0 |"));
  EXPECT_THAT(
      report,
      HasSubstr("optimizer: power and energy missing: 0 samples at 10 Hz (8 needed); one describes 125 ms"));
  EXPECT_THAT(report,
              HasSubstr("- [../traces/facade000001-rank0.json](../traces/facade000001-rank0.json)\n- [../"));
  EXPECT_THAT(content(run / "reports/summary_report.html"), HasSubstr("<title>Where the step goes</title>"));
  EXPECT_TRUE(fs::exists(run / "reports/charts/phases.svg"));
}

TEST(Golden, GpuTestsAndBurn) {
  const fs::path run = testing::scratch("run");
  testing::make_device_run(run);
  const auto outcome = write_reports(run);
  ASSERT_TRUE(outcome.ok());
  EXPECT_FALSE(outcome->goals_met()) << "one GPU is slow";
  EXPECT_THAT(outcome->missed,
              ::testing::Contains("FAIL  Slow GPUs, burn bf16 on 2 nodes: synthetic2 GPU 1: 560.0 "
                                  "TFLOP/s, 20.0 % below (required: >= 95 % of the fleet's median)"));
  compare_with_golden(run, "gpu_tests");
  const std::string report = content(run / "reports/summary_report.md");
  EXPECT_THAT(
      report,
      HasSubstr("| Slow GPUs, burn bf16 on 2 nodes | >= 95 % of the fleet's median | synthetic2 GPU 1: "
                "560.0 TFLOP/s, 20.0 % below | FAIL |"));
  EXPECT_THAT(report, HasSubstr("synthetic2 GPU 1 SLOW"));
  EXPECT_THAT(report, HasSubstr("`attention` waived: this is a synthetic reason"));
  EXPECT_TRUE(fs::exists(run / "reports/charts/burn.svg"));
}

// A phase with too few samples names the way to more of them.
TEST(WriteReports, PhasesSayWhyTheyAreMissingAndWhatHelps) {
  const auto report_of = [](const testing::PhaseSpec& spec) {
    const fs::path run = testing::scratch("run");
    testing::make_phase_run(run, spec);
    EXPECT_TRUE(write_reports(run).ok());
    return content(run / "reports/summary_report.md");
  };
  testing::PhaseSpec few;
  few.steps = 1;
  EXPECT_THAT(report_of(few),
              HasSubstr("forward: SM, tensor and DRAM activity missing: 6 samples at 10 Hz (8 needed); "
                        "more with a higher `--steps`, or with `--metrics-interval-ms 110`"));
  testing::PhaseSpec accumulation;
  accumulation.accumulation = 4;
  EXPECT_THAT(report_of(accumulation), HasSubstr("`--set training.grad_accumulation=1` separates them"));
  testing::PhaseSpec blind;
  blind.gpm = false;
  EXPECT_THAT(report_of(blind), HasSubstr("no sample has GPM figures"));
  testing::PhaseSpec old;
  old.times = false;
  EXPECT_THAT(report_of(old), HasSubstr("Missing for 7b, 1 node: the `step` records hold no phase times"));
}

TEST(Golden, RecordsPageIsTheFieldTable) {
  const fs::path page = fs::path(SXB_SOURCE_DIR) / "docs" / "records.md";
  if (updating()) {
    ASSERT_TRUE(write_file_atomic(page, records_page()).ok());
  }
  EXPECT_EQ(content(page), records_page()) << "run SXB_UPDATE_GOLDENS=1 ctest -R Golden";
  for (const record::Field& field : record::fields())
    EXPECT_THAT(records_page(), HasSubstr(std::string("\n### ") + field.kind + "\n"));
}

TEST(WriteReports, AgainAndElsewhereGivesTheSameBytes) {
  const fs::path run = testing::scratch("one");
  testing::make_gpu_run(run);
  ASSERT_TRUE(write_reports(run).ok());
  const auto first = outputs(run);
  ASSERT_TRUE(write_reports(run).ok());
  EXPECT_EQ(outputs(run), first);
  const fs::path moved = testing::scratch("elsewhere") / "deep" / "folder";
  fs::remove_all(moved);
  fs::create_directories(moved.parent_path());
  fs::rename(run, moved);
  ASSERT_TRUE(write_reports(moved).ok());
  EXPECT_EQ(outputs(moved), first);
  for (const auto& [file, text] : first)
    EXPECT_THAT(text, Not(HasSubstr(run.parent_path().string()))) << file;
}

TEST(WriteReports, ResultsFolderMeansItsLatestRun) {
  const fs::path results = testing::scratch("results");
  fs::remove_all(results);
  testing::make_cpu_run(results / "20260921T141320Z-synthetic-000000");
  fs::create_directory_symlink("20260921T141320Z-synthetic-000000", results / "latest");
  const auto outcome = write_reports(results);
  ASSERT_TRUE(outcome.ok());
  EXPECT_TRUE(fs::exists(results / "20260921T141320Z-synthetic-000000" / "reports" / "summary_report.md"));
}

TEST(WriteReports, FolderWithoutRunIsAnErrorWithRemedy) {
  const fs::path empty = testing::scratch("empty");
  fs::create_directories(empty);
  const auto outcome = write_reports(empty);
  ASSERT_FALSE(outcome.ok());
  EXPECT_THAT(outcome.error().what, HasSubstr("no run found"));
  EXPECT_THAT(outcome.error().help, HasSubstr("sxbench run"));
  EXPECT_FALSE(write_reports(empty / "absent").ok());
}

TEST(WriteReports, WhatCannotBeWrittenNamesAWayThatReportHas) {
  const fs::path run = testing::scratch("run");
  testing::make_cpu_run(run);
  ASSERT_TRUE(write_file_atomic(run / "reports", "a file where the folder should be").ok());
  const auto outcome = write_reports(run);
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.error().code, ExitCode::kEnvironment);
  EXPECT_THAT(outcome.error().help, HasSubstr("sxbench report COPY"));
  EXPECT_THAT(outcome.error().help, Not(HasSubstr("--out")));
}

// 720 GB/s over two NVLink GPUs of 450 GB/s each.
TEST(WriteReports, FigureBeyondPhysicsIsMarkedAndFailsTheReport) {
  testing::SyntheticRun run(testing::scratch("run"));
  run.add("run", testing::run_data("synthetic", Json::array({testing::planned_nccl("n", 1)}),
                                   {{"busbw_gBps", 300}}));
  add_nccl_task(run, {"n", 1, 2, 720});
  run.write();
  const auto outcome = write_reports(run.folder());
  ASSERT_TRUE(outcome.ok());
  EXPECT_FALSE(outcome->goals_met());
  const std::string report = content(outcome->summary_report);
  EXPECT_THAT(report, HasSubstr("| 720.0 IMPLAUSIBLE |"));
  EXPECT_THAT(report, HasSubstr("| >= 300 GB/s | 720.0 GB/s | IMPLAUSIBLE | see the speed-of-light check |"));
}

TEST(WriteReports, ATimeThatIsNotTheSlowestRanksSaysWhose) {
  testing::SyntheticRun run(testing::scratch("run"));
  Json plan = testing::planned_nccl("n", 1);
  plan["sweep"]["average"] = 1;
  run.add("run", testing::run_data("synthetic", Json::array({plan}), Json::object()));
  add_nccl_task(run, {"n", 1, 2, 300});
  run.write();
  const auto outcome = write_reports(run.folder());
  ASSERT_TRUE(outcome.ok());
  EXPECT_THAT(content(outcome->summary_report), HasSubstr("Times are the mean over ranks (`-a 1`)."));
}

// tests/fixtures/implausible: figures of a published report, as if they had been measured.
TEST(WriteReports, PublishedFiguresThatCannotBeAreCalledSo) {
  const fs::path run = testing::scratch("run");
  fs::remove_all(run);
  fs::create_directories(run);
  fs::copy_file(fs::path(SXB_TEST_DATA) / "implausible" / "records.jsonl", run / "records.jsonl");
  const auto outcome = write_reports(run);
  ASSERT_TRUE(outcome.ok());
  EXPECT_FALSE(outcome->goals_met());
  const std::string line = "912.5 Gbit/s per host > 2 x 400 Gbit/s = 800 Gbit/s";
  const std::string work =
      "28,800 samples/s x 2,048 tokens x 6 x 6.74e9 FLOP = 2.38 EFLOP/s > 64 x 989.4 TFLOP/s = 63.3 PFLOP/s";
  const std::string markdown = content(run / "reports" / "summary_report.md");
  const std::string html = content(run / "reports" / "summary_report.html");
  const std::string json = content(run / "summary.json");
  for (const std::string& arithmetic : {line, work}) {
    EXPECT_THAT(markdown, HasSubstr(arithmetic));
    EXPECT_THAT(html, HasSubstr(escape_xml(arithmetic)));
    EXPECT_THAT(json, HasSubstr(arithmetic));
  }
  for (const std::string* text : {&markdown, &html, &json}) EXPECT_THAT(*text, HasSubstr("IMPLAUSIBLE"));
  const auto summary = parse_json(json, "summary.json");
  ASSERT_TRUE(summary.ok());
  EXPECT_EQ((*summary)["nccl"][0]["rows"].back()["verdict"], "IMPLAUSIBLE");
  EXPECT_EQ((*summary)["sft"][0]["implausible"], true);
  EXPECT_EQ((*summary)["verdicts"][0]["status"], "IMPLAUSIBLE")
      << "92 % of the line is met by a figure that cannot be";
  EXPECT_EQ((*summary)["goals_met"], false);
}

TEST(WriteReports, HtmlIsSelfContained) {
  const fs::path run = testing::scratch("run");
  testing::make_gpu_run(run);
  ASSERT_TRUE(write_reports(run).ok());
  const std::string html = content(run / "reports" / "summary_report.html");
  EXPECT_THAT(html, HasSubstr("<svg"));
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, Not(HasSubstr("src=")));
  EXPECT_THAT(html, Not(HasSubstr("href=\"http")));
}

}  // namespace
}  // namespace sxb::report
