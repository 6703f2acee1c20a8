// One export and one section of our own, added as a newcomer would: a function and a row each
// (docs/extending.md).
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/files.h"
#include "report/exports/exports.h"
#include "report/report.h"
#include "report/sections/sections.h"
#include "support/synthetic_run.h"

namespace sxb::report {
namespace {

namespace fs = std::filesystem;
using analysis::Analysis;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string tasks_csv(const Analysis& analysis) {
  std::string out = "task\n";
  for (const analysis::TaskData& task : analysis.dataset->tasks) out += task.id + "\n";
  return out;
}

std::vector<std::pair<std::string, std::string>> task_texts(const Analysis& analysis) {
  std::vector<std::pair<std::string, std::string>> files;
  for (const analysis::TaskData& task : analysis.dataset->tasks)
    files.emplace_back("reports/task_" + task.id + ".txt", task.label);
  return files;
}

void add_task_count(const Analysis& analysis, Document& document) {
  document.add(Paragraph{fmt::format("{} of them.", analysis.dataset->tasks.size())});
}

bool never(const Analysis& /*analysis*/) { return false; }

/// The synthetic CPU run of two tasks, reported with one row more in each table.
fs::path reported() {
  fs::path run = sxb::testing::scratch("run");
  sxb::testing::make_cpu_run(run);
  std::vector<Export> all_exports(exports().begin(), exports().end());
  all_exports.push_back({"reports/tasks.csv", "the tasks", tasks_csv});
  all_exports.push_back({"reports/task_ID.txt", "one file per task", task_texts});
  all_exports.push_back({"reports/never.csv", "nothing", tasks_csv, never});
  std::vector<Section> all_sections(sections().begin(), sections().end());
  all_sections.insert(all_sections.begin() + 1, {"How many tasks", add_task_count});
  all_sections.push_back({"Never", add_task_count, never});
  EXPECT_TRUE(write_reports(run, all_exports, all_sections).ok());
  return run;
}

std::string file_text(const fs::path& path) {
  const auto text = read_file(path);
  EXPECT_TRUE(text.ok()) << path;
  return text.ok() ? *text : "";
}

TEST(Extension, AnExportIsOneFunctionAndOneRow) {
  const fs::path reports = reported() / "reports";
  const std::string csv = file_text(reports / "tasks.csv");
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 3) << csv;
  int texts = 0;
  for (const auto& entry : fs::directory_iterator(reports))
    texts += entry.path().filename().string().starts_with("task_") ? 1 : 0;
  EXPECT_EQ(texts, 2);
  EXPECT_FALSE(fs::exists(reports / "never.csv"));
  EXPECT_TRUE(fs::exists(reports / "performance_summary.csv")) << "the rows that were there remain";
}

TEST(Extension, ASectionIsOneFunctionAndOneRow) {
  const fs::path reports = reported() / "reports";
  EXPECT_THAT(file_text(reports / "summary_report.md"),
              AllOf(HasSubstr("\n## How many tasks\n\n2 of them.\n"), Not(HasSubstr("## Never"))));
  EXPECT_THAT(file_text(reports / "summary_report.html"),
              AllOf(HasSubstr("<li><a href=\"#s2\">How many tasks</a></li>"),
                    HasSubstr("<h2 id=\"s2\">How many tasks</h2>\n<p>2 of them.</p>")));
}

TEST(Extension, EveryExportIsDescribedOnce) {
  std::set<std::string> paths;
  for (const Export& row : exports()) {
    EXPECT_TRUE(paths.insert(row.path).second) << row.path << " stands twice";
    EXPECT_STRNE(row.holds, "") << row.path;
  }
  const std::string page = file_text(fs::path(SXB_SOURCE_DIR) / "docs" / "records.md");
  for (const std::string& path : paths) EXPECT_THAT(page, HasSubstr("\n- `" + path + "`: "));
}

}  // namespace
}  // namespace sxb::report
