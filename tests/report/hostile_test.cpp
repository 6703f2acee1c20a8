// What a hostile node or a secret of the cluster leaves in the files of a report: nothing that a terminal
// obeys.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "base/files.h"
#include "base/text.h"
#include "report/report.h"
#include "support/synthetic_run.h"

namespace sxb::report {
namespace {

namespace fs = std::filesystem;

std::map<std::string, std::string> written_files(const fs::path& run) {
  std::map<std::string, std::string> files = {{"summary.json", *read_file(run / "summary.json")}};
  for (const auto& entry : fs::recursive_directory_iterator(run / "reports")) {
    if (entry.is_regular_file()) files[entry.path().filename()] = *read_file(entry.path());
  }
  return files;
}

TEST(Hostile, NoFileOfAReportHoldsWhatATerminalObeys) {
  const std::string hostile = "\x1b[2J\x1b]0;t\x07 \u009b31m \u202egnp \x7f\r";
  const fs::path folder = testing::scratch("hostile");
  testing::SyntheticRun run(folder);
  run.add("run", testing::run_data("r" + hostile, {testing::planned_nccl("a", 1)}, Json::object()));
  testing::start_task(run, "a", "nccl", "label" + hostile, 1, 2, false, true);
  run.add("finding",
          {{"severity", "warning"}, {"code", "c" + hostile}, {"message", "m" + hostile}, {"help", hostile}},
          "a", "n" + hostile, 0);
  run.add("collective",
          {{"collective", "all_reduce"},
           {"size_bytes", 8},
           {"count", 2},
           {"dtype", "float" + hostile},
           {"redop", "sum"},
           {"ranks", 2},
           {"path", hostile},
           {"out_of_place", {{"time_us", 1e308}, {"algbw_gBps", 1e308}}}},
          "a", "n0", 0);
  testing::end_task(run, "a", "failed", "reason" + hostile);
  run.write();
  fs::create_directories(folder / "traces");
  ASSERT_TRUE(write_file_atomic(folder / "traces" / "a\x1b[2J\xe9.json", "{}").ok());
  ASSERT_TRUE(write_reports(folder).ok());
  for (const auto& [name, content] : written_files(folder)) EXPECT_EQ(printable(content), content) << name;
  const std::string report = written_files(folder)["summary_report.md"];
  EXPECT_THAT(report, ::testing::HasSubstr("reason\\x1b"));
  EXPECT_THAT(report, ::testing::HasSubstr("\\u202egnp"));
  EXPECT_TRUE(is_json(written_files(folder)["summary.json"]));
}

TEST(Hostile, AJournalsSecretsAreNotShown) {
  const fs::path folder = testing::scratch("secret");
  testing::SyntheticRun run(folder);
  Json facts = testing::run_data("r", {testing::planned_nccl("a", 1)}, Json::object());
  facts["nccl_env"] = {{"NCCL_DEBUG", "WARN"}, {"NCCL_NET_TOKEN", "s3cret"}};
  facts["cluster"]["nccl_env"] = facts["nccl_env"];
  facts["cluster"]["env"] = {{"HF_TOKEN", "s3cret"}};
  run.add("run", facts);
  testing::NcclSpec spec;
  spec.id = "a";
  testing::add_nccl_task(run, spec);
  run.write();
  ASSERT_TRUE(write_reports(folder).ok());
  const auto files = written_files(folder);
  EXPECT_GT(files.size(), 5u);
  for (const auto& [name, content] : files) EXPECT_EQ(content.find("s3cret"), std::string::npos) << name;
  EXPECT_THAT(files.at("summary_report.html"), ::testing::HasSubstr("NCCL_NET_TOKEN=&lt;redacted&gt;"));
  EXPECT_THAT(files.at("summary_report.md"), ::testing::HasSubstr("NCCL_DEBUG=WARN"));
}

}  // namespace
}  // namespace sxb::report
